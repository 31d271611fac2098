"""`nodemend status`: the fleet in one screen."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from nodehealth.kit import clocks
from nodehealth.kube.client import Client
from nodemend import asking, complaints, paper
from nodemend.looking import rulebook, screen, sight
from nodemend.looking import status as summing
from nodemend.looking.status import Status
from nodemend.options import Context, Json, Kubeconfig
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("status")(status)


def status(
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to judge by; else those of the cluster.")
    ] = None,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show the fleet in one screen: what is sick, what is held back, what needs a person.

    Exits with 0 when nothing needs a person, 1 when something does, 2 when it can't be told.
    """

    async def question(client: Client) -> Status:
        book = await rulebook.read_leniently(client, rules)
        return summing.summary(await sight.look(client, clocks.wall), book)

    with complaints.said(ProblemsError):
        found = asking.ask(question, kubeconfig, context)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        paper.put(screen.drawn(found), paper.console())
    raise typer.Exit(1 if found.attention else 0)
