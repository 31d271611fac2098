"""The commands, one file each, imported only when it is the one that was typed."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import typer

ABOUT: Final[Mapping[str, str]] = {
    "demo": "Repair this very machine in a cluster on this laptop: needs nothing but Python.",
    "probe": "Ask every probe of this machine once and judge what it says; needs no cluster.",
    "record-gpu": "Write down what this machine's NVIDIA GPUs say, but not whose they are.",
    "status": "Show the fleet in one screen: what is sick, what is held back, what needs a person.",
    "why": "Say what is known of a node, which rules hold, and what happens next.",
    "breakers": "Show every breaker: whether it is open, what it measures, and when it opens.",
    "drainable": "Say whether a node could be drained now, and who keeps it from that.",
    "repairs": "List the repairs that are open, and what each of them waits for.",
    "pause": "Begin nothing new: everywhere, in a pool, or on a node.",
    "resume": "Take a pause away: what it held back goes on.",
    "ledger": "Say what only a person may: open the ledger, or give back a slot nobody holds.",
    "inject": "Make a node of a simulated cluster sick; a real cluster is refused.",
    "rules": "Check and test the rules and the policy that SREs edit.",
    "agent": "Observe this machine and report what is seen as its Node's NodeHealth.",
    "remediator": "Judge what the agents report and repair sick nodes, as far as the policy goes.",
    "node": "Mend this very machine, as repair Pods do: reset GPUs, reboot, restart a service.",
}
"""What `nodemend --help` says of each command, in the order in which it says it.

An agent must not carry a simulator, and a person must not wait for both to be told their names.
"""


def add(root: typer.Typer, name: str) -> None:
    """Put a command under the command line, with all that it needs."""
    import_module(f"{__name__}.{name.replace('-', '_')}").add(root)


def announce(root: typer.Typer, name: str) -> None:
    """Put only the name of a command and what it is for under the command line."""
    root.command(name, help=ABOUT[name])(_nothing)


def _nothing() -> None:
    """Stand in for a command that nobody typed."""
