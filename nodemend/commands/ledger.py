"""`nodemend ledger`: what only a person may say of what was admitted."""

import sys
from typing import Annotated

import typer

from nodehealth.ledger import Disruption
from nodemend import asking, complaints, wishes
from nodemend.options import Context, Kubeconfig, named
from remediator.decide import problems


def add(root: typer.Typer) -> None:
    """Put the command and those below it under the command line."""
    below = typer.Typer(no_args_is_help=True)
    below.callback()(ledger)
    below.command("open")(open_)
    below.command()(release)
    root.add_typer(below, name="ledger")


def ledger() -> None:
    """Say what only a person may: open the ledger, or give back a slot nobody holds."""


def open_(*, kubeconfig: Kubeconfig = None, context: Context = None) -> None:
    """Let nodes be disrupted again, after you compared what is out with what the ledger says."""
    with complaints.said():
        before = asking.ask(wishes.let_disrupt, kubeconfig, context)
    if before.spec.disruption is Disruption.OPEN:
        sys.stdout.write("Disruption was open already.\n")
        return
    why = problems.closed_because(before.status.rebuilt)
    held = f"{len(before.status.slots)} slots and {len(before.status.cordons)} cordons"
    sys.stdout.write(f"Disruption is open; the ledger has {held}. {why}.\n")


def release(
    node: Annotated[
        str, typer.Argument(help="The node whose slot no repair holds.", callback=named)
    ],
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Give back the slot of a node that is not back and has no repair any more.

    You vouch that nothing works on its machine: no reboot or replacement is on its way.
    """
    with complaints.said():
        epoch = asking.ask(lambda client: wishes.release(client, node), kubeconfig, context)
    sys.stdout.write(
        f"Slot {epoch} of {node} is given back within two minutes, and other nodes may have it.\n"
        f"If {node} is still sick, it gets a new repair.\n"
    )
