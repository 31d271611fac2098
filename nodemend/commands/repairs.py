"""`nodemend repairs`: what is being done to which node, and what it waits for."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from nodemend import asking, complaints, paper
from nodemend.looking import repairs as repairing
from nodemend.options import Context, Json, Kubeconfig


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("repairs")(repairs)


def repairs(
    node: Annotated[str, typer.Argument(help="Only those of this node.")] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List the repairs that are open, and what each of them waits for."""
    with complaints.said():
        found, now = asking.ask(_read, kubeconfig, context)
    listed = repairing.chosen(found, node=node, ended=everything)
    if json:
        sys.stdout.write(repairing.as_json(listed) + "\n")
    elif listed:
        paper.put(repairing.table(listed, now), paper.console())
    else:
        whose = f" of {node}" if node else ""
        sys.stdout.write(f"No repair{whose} is {'known' if everything else 'open'}.\n")


async def _read(client: Client) -> tuple[tuple[NodeRepair, ...], datetime]:
    try:
        listing = await client.listing(NODE_REPAIRS)
    except errors.GoneError as missing:
        raise errors.SettingsError(
            "the API server serves no NodeRepairs: nodemend is not installed there"
        ) from missing
    return listing.items, client.server_time or clocks.wall()
