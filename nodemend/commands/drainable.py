"""`nodemend drainable`: whether a node could be drained now, and who keeps it from that."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from nodehealth import quantities
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodemend import asking, complaints, paper
from nodemend.looking import drainable as rehearsal
from nodemend.looking import rulebook
from nodemend.looking.drainable import Drainable
from nodemend.options import Context, Json, Kubeconfig, named
from remediator.rules.documents import ProblemsError

_UNTOLD: Final = complaints.USAGE


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("drainable")(drainable)


def drainable(
    node: Annotated[str, typer.Argument(help="The node's name.", callback=named)],
    *,
    wait_completed: Annotated[
        str, typer.Option(help="How long a drain would let pods finish, as in `drain`'s settings.")
    ] = "0s",
    rules: Annotated[
        Path | None, typer.Option(help="Whose policy to ask by; else that of the cluster.")
    ] = None,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Say whether a node could be drained now, and who keeps it from that.

    Asks the API server of every pod whether it could be evicted, as a dry run.

    Exits with 0 when the node can be drained, 1 when somebody keeps it, 2 when it can't be told.
    """

    async def question(client: Client) -> Drainable:
        book = await rulebook.read_leniently(client, rules)
        waits, drain = _duration(wait_completed), book.policy.drain
        return await rehearsal.rehearse(client, clocks.wall, node, drain, waits, book.origin)

    with complaints.said(ProblemsError):
        found = asking.ask(question, kubeconfig, context)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        paper.put(rehearsal.drawn(found), paper.console())
    raise typer.Exit(_code(found))


def _duration(text: str) -> timedelta:
    try:
        return quantities.duration(text)
    except ValueError as wrong:
        raise SettingsError(f"--wait-completed: {wrong}") from wrong


def _code(found: Drainable) -> int:
    if not found.is_told():
        return _UNTOLD
    return 0 if found.is_free() else 1
