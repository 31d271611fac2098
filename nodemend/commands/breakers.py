"""`nodemend breakers`: what is stopped because too much is amiss, and what nearly is."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodehealth.ledger import Handling
from nodemend import asking, complaints, nearest, paper, wishes
from nodemend.looking import breakers as measuring
from nodemend.looking import breakerscreen, rulebook, sight
from nodemend.looking.breakers import Breakers
from nodemend.options import Context, Json, Kubeconfig
from remediator.rules.documents import ProblemsError

_WORDS: Final[Mapping[str, tuple[Handling | None, str]]] = {
    "ignore": (Handling.IGNORE, "It stops nothing, until you say nothing of it any more"),
    "try": (Handling.TRY, "It tries one node at once, without waiting"),
    "hold": (Handling.HOLD, "Once open it stays open, until you say nothing of it any more"),
    "nothing": (None, "It opens and closes by what is amiss"),
}


class Word(StrEnum):
    """What a person may say of a breaker."""

    IGNORE = "ignore"
    TRY = "try"
    HOLD = "hold"
    NOTHING = "nothing"


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("breakers")(breakers)


def breakers(
    name: Annotated[
        str, typer.Argument(help="Say something of this breaker, such as burst/h100.")
    ] = "",
    word: Annotated[Word | None, typer.Argument(help="What to say of it.")] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that measure nothing.")
    ] = False,
    rules: Annotated[
        Path | None, typer.Option(help="A policy to judge by; else that of the cluster.")
    ] = None,
    json: Json = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show every breaker: whether it is open, what it measures, and when it opens.

    Exits with 0 when all are closed, 1 when one is not, 2 when it can't be told.

    `nodemend breakers NAME WORD` says something of one of them: ignore (it stops nothing), try (one
    node at once), hold (once open it stays open), nothing (what was said is taken back).
    """
    with complaints.said(ProblemsError):
        if name:
            sys.stdout.write(asking.ask(_saying(name, word, rules), kubeconfig, context))
            return
        _, found = asking.ask(lambda client: _measured(client, rules), kubeconfig, context)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        paper.put(breakerscreen.drawn(found, everything=everything), paper.console())
    raise typer.Exit(1 if any(each.says for each in found.breakers) else 0)


async def _measured(client: Client, rules: Path | None) -> tuple[frozenset[str], Breakers]:
    """Return the names of all that may ever open, and how all are."""
    book = await rulebook.read_leniently(client, rules)
    seen = await sight.look(client, clocks.wall)
    found = measuring.summary(seen, book, await measuring.pods(client, seen, book))
    return measuring.names(found, seen, book), found


def _saying(name: str, word: Word | None, rules: Path | None) -> Callable[[Client], Awaitable[str]]:
    if word is None:
        raise SettingsError(f"expected what to say of {name}: {', '.join(Word)}")
    handling, means = _WORDS[word]

    async def question(client: Client) -> str:
        known, _ = await _measured(client, rules)
        if handling is not None and name not in known:
            raise SettingsError(nearest.none_named("breaker", name, known))
        before = await wishes.handle(client, name, handling)
        news = "It was so already. " if before is handling else ""
        return f"{news}{means}.\n"

    return question
