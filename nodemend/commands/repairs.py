"""`nodemend repairs`: what is being done to which node, and what people have to say to that."""

import sys
from datetime import datetime
from typing import Annotated

import typer
from typer.core import TyperGroup

from nodehealth.cel.errors import choices
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.repair import NodeRepair
from nodemend import asking, complaints, nearest, paper, repairwishes, requesting
from nodemend.looking import repairs as repairing
from nodemend.looking import story
from nodemend.options import Context, Json, Kubeconfig

_LIST = "list"


class _Listing(TyperGroup):
    """Lists when no other command is named, so that `nodemend repairs NODE` does."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # the base of Context has no public name
        """Put the name of the command in that was left out."""
        named, more = args[:1], [each for each in args[1:2] if not each.startswith("-")]
        if more and not named[0].startswith("-") and named[0] not in self.commands:
            ctx.fail(f"there is no command {named[0]}; {choices(named[0], self.commands)}")
        if not named or named[0] not in {*self.commands, *ctx.help_option_names}:
            args = [_LIST, *args]
        return super().parse_args(ctx, args)


def add(root: typer.Typer) -> None:
    """Put the command and those below it under the command line."""
    below = typer.Typer(cls=_Listing)
    below.callback()(repairs)
    below.command(_LIST)(list_)
    for wish in repairwishes.COMMANDS:
        below.command(wish.__name__)(wish)
    root.add_typer(below, name="repairs")


def repairs() -> None:
    """List the repairs that are open, and what each of them waits for.

    `nodemend repairs NAME` tells the whole story of a node's repair.
    """


def list_(
    name: Annotated[
        str, typer.Argument(help="Of this node only, or this one; each is told from its beginning.")
    ] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List the repairs that are open: what is done when no other command is named."""
    with complaints.said():
        found, now = asking.ask(lambda client: _read(client, name), kubeconfig, context)
    listed = repairing.chosen(found, name=name, ended=everything)
    if json:
        sys.stdout.write(repairing.as_json(listed) + "\n")
    elif listed:
        paper.put(repairing.table(listed, now), paper.console())
        for each in listed if name else ():
            sys.stdout.write("\n")
            paper.put(story.told(each, now), paper.console())
    else:
        sys.stdout.write(repairing.none(found, name=name, ended=everything))


async def _read(client: Client, name: str) -> tuple[tuple[NodeRepair, ...], datetime]:
    """Read all repairs, and see whether there is a node of the name that none is of."""
    found = await requesting.listed(client)
    if name and not repairing.chosen(found, name=name, ended=True):
        await _check_node(client, name, {each.metadata.name for each in found})
    return found, client.server_time or clocks.wall()


async def _check_node(client: Client, name: str, repairs: set[str]) -> None:
    try:
        await client.get(NODES, name)
    except errors.GoneError as gone:
        nodes = {each.metadata.name for each in (await client.listing(NODES)).items}
        raise SettingsError(nearest.none_named("repair or node", name, nodes | repairs)) from gone
