"""`nodemend why`: what is known of a node, and what happens to it next."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from nodehealth.kit import clocks
from nodehealth.kube.client import Client
from nodemend import asking, complaints, paper
from nodemend.looking import rulebook, sight
from nodemend.looking import why as explaining
from nodemend.looking.why import Why
from nodemend.options import Context, Json, Kubeconfig, named
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("why")(why)


def why(
    node: Annotated[str, typer.Argument(help="The node's name.", callback=named)],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to judge by; else those of the cluster.")
    ] = None,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Say what is known of a node, which rules hold, and what happens next."""

    async def question(client: Client) -> Why:
        book = await rulebook.read_leniently(client, rules)
        return explaining.explain(await sight.look(client, clocks.wall, node=node), book, node)

    with complaints.said(ProblemsError):
        answer = asking.ask(question, kubeconfig, context)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
    else:
        paper.put(explaining.drawn(answer), paper.console())
