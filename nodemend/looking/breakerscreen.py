"""Breakers as they are drawn for a person."""

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth.ledger import BreakerState
from nodehealth.repair import Mode
from nodemend.looking.breakers import CLOSED, Breakers, Row

_STATES: Final = {
    CLOSED: Text("closed", style="green"),
    BreakerState.OPEN: Text("open", style="bold red"),
    BreakerState.HALF_OPEN: Text("half open", style="yellow"),
}


def drawn(found: Breakers, *, everything: bool) -> RenderableType:
    """Draw them: what is stopped comes last, where the eye ends."""
    head = Text(f"Breakers as of {found.at:%H:%M:%S} UTC, by {found.by}")
    shown = [each for each in found.breakers if everything or not each.is_quiet()]
    quiet = len(found.breakers) - len(shown)
    return Group(head, Text(), _table(shown), *map(Text, _remarks(found, quiet)), *_stopped(found))


def _table(rows: Iterable[Row]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    table.add_column("BREAKER", overflow="fold")
    for title in ("STATE", "NOW", "OPENS AT", "SINCE", "SAID OF IT"):
        table.add_column(title)
    for row in rows:
        since = f"{row.since:%H:%M:%S}" if row.since is not None else ""
        table.add_row(row.breaker, _state(row), _now(row), _limit(row), since, row.person or "")
    return table if table.row_count else Text("Nothing is amiss that a breaker measures.")


def _state(row: Row) -> Text:
    return Text("would open", style="yellow") if row.is_due() else _STATES[row.state]


def _now(row: Row) -> str:
    return "?" if row.seen is None else str(row.seen)


def _limit(row: Row) -> str:
    if row.opens_at is None:
        return "?"
    if row.of is not None and row.of < row.opens_at:
        return f"never, of {row.of}"
    return f"{row.opens_at} of {row.of}" if row.of is not None else str(row.opens_at)


def _remarks(found: Breakers, quiet: int) -> Iterable[str]:
    if found.problem:
        yield f"The policy of the cluster can't be used, so others may hold: {found.problem}"
    if any(each.seen is None and each.state == CLOSED for each in found.breakers):
        yield "What is marked ? only the leader counts, or nobody whom you may ask."
    if quiet:
        yield f"{quiet} more measure nothing (all of them with --all)."
    if found.never:
        yield f"The policy never opens {', '.join(found.never)}."
    for each in found.changes:
        yield f"New is {each.what}: it was first seen at {each.at:%Y-%m-%d %H:%M:%S}."


def _stopped(found: Breakers) -> Iterable[Text]:
    stopped = [each.says for each in found.breakers if each.says]
    if stopped:
        return [Text(), *(Text(f"! {each}", style="bold red") for each in stopped)]
    if found.mode is not Mode.ENFORCE:
        return [Text(), Text(f"The mode is {found.mode}: nothing is disrupted anyway.")]
    return [Text(), Text("No breaker stops anything.", style="green")]
