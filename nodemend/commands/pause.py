"""`nodemend pause`: holds back what nodemend would begin."""

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from msgspec import structs

from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.ledger import Pause
from nodemend import asking, complaints, nearest, wishes
from nodemend.looking import rulebook
from nodemend.options import By, Context, Kubeconfig, named
from remediator.decide import pauses
from remediator.rules.policy import DEFAULT_POOL


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What was typed; what is empty stays as it is in a pause that there is already."""

    reason: str
    pool: str
    node: str
    lasting: str
    until: str

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            nodehealth.kit.settings.SettingsError: says what does.
        """
        for one, other in (("pool", "node"), ("lasting", "until")):
            if getattr(self, one) and getattr(self, other):
                both = f"--{one} or --{other}".replace("--lasting", "--for")
                raise SettingsError(f"expected {both}, got both")

    def pause(self, before: Pause | None, by: str, now: datetime) -> Pause:
        """Return the pause that is wished for."""
        if before is None and not self.reason:
            raise SettingsError("expected --reason, so that whoever finds it knows why")
        made = before or Pause(reason=self.reason, by=by, at=now.replace(microsecond=0))
        if self.reason and self.reason != made.reason:
            made = structs.replace(made, reason=self.reason, by=by)
        if self.pool or self.node:
            made = structs.replace(made, pool=self.pool, node=self.node)
        if self.lasting:
            made = structs.replace(made, until=wishes.lasting(self.lasting, now))
        if self.until:
            made = structs.replace(made, until=wishes.moment(self.until, now))
        return made


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("pause")(pause)


def pause(
    name: Annotated[
        str, typer.Argument(help="A name for it, such as kernel-upgrade.", callback=named)
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever finds it.")] = "",
    pool: Annotated[str, typer.Option(help="Only this pool.")] = "",
    node: Annotated[str, typer.Option(help="Only this node.")] = "",
    lasting: Annotated[str, typer.Option("--for", help="For how long, such as 2h.")] = "",
    until: Annotated[str, typer.Option(help="Until when, such as 2026-01-31T22:00Z.")] = "",
    by: By = "",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Begin nothing new: everywhere, in a pool, or on a node.

    No cordon and no disruptive step is begun there. What is under way finishes its step, and nodes
    that are well are given back all the same.
    """
    wish = _Wish(reason=reason, pool=pool, node=node, lasting=lasting, until=until)

    async def question(client: Client) -> tuple[Pause | None, Pause]:
        await _check_scope(client, wish)
        author = await wishes.author(client, by)
        return await wishes.pause(client, name, lambda was, now: wish.pause(was, author, now))

    with complaints.said():
        wish.check()
        before, made = asking.ask(question, kubeconfig, context)
    news = "It was so already" if made == before else "It is changed" if before else "It is new"
    sys.stdout.write(
        f"P{pauses.sentence(name, made)[1:]}.\n"
        f"{news}. Nothing new is begun there; what is under way finishes its step.\n"
        f"To let it go on: nodemend resume {shlex.quote(name)}\n"
    )


async def _check_scope(client: Client, wish: _Wish) -> None:
    """Refuse to hold back what there is not: a name that is misspelt would hold back nothing."""
    if wish.node:
        nodes = await client.listing(NODES)
        _check("node", wish.node, (each.metadata.name for each in nodes.items))
    if wish.pool:
        book = await rulebook.read_leniently(client, None)
        if not book.problem:
            named = (each.name for each in book.policy.pools)
            _check("pool", wish.pool, (DEFAULT_POOL, *named))


def _check(kind: str, name: str, known: Iterable[str]) -> None:
    names = tuple(known)
    if name not in names:
        raise SettingsError(nearest.none_named(kind, name, names))
