"""The demo's screen, drawn into whatever size a terminal has: nothing wraps, all is bounded."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth.repair import NodeRepair
from nodemend.demo.picture import Look, Picture, Spot
from nodemend.looking import repairs as repairing
from remediator.decide import plan
from remediator.decide.counting import Usage

_LABEL: Final = 9
"""How wide the words before the rows are."""
_HEADS: Final = ("NODE", "RULE", "PHASE", "FOR")
_LEAST: Final = 4
"""How many lines of the story there is always room for."""


def drawn(picture: Picture, width: int, height: int) -> RenderableType:
    """Draw the picture for a terminal of this size."""
    head: list[Text] = [_title(picture), _line(picture.hint, "dim")]
    head += [*_grid(picture.spots, width, max(2, height // 4)), _legend(picture.spots)]
    head += [_limits(picture.usages), Text()]
    left = max(0, height - len(head) - 1)
    listed = _listed(picture, left - max(_LEAST, left // 3) - 1)
    told = max(0, left - len(listed) - 1)
    lines = [_cut(each) for each in picture.lines[-told:]] if told else []
    table = (
        _repairs(listed, picture, width) if listed else Text("No repair is open yet.", style="dim")
    )
    return Group(*head, table, Text(), *lines)


def _title(picture: Picture) -> Text:
    count = sum(not each.real for each in picture.spots)
    clock = f"{_spoken(picture.elapsed)} of {_spoken(picture.most)}"
    title = ("nodemend demo", "bold")
    nodes = f"  {count} nodes and this machine  "
    return _cut(Text.assemble(title, nodes, (clock, "bold"), "  Ctrl-C ends"))


def _grid(spots: Sequence[Spot], width: int, most: int) -> Iterator[Text]:
    """Yield rows of nodes, a sign each, pool by pool; when they are too many, the well ones go."""
    across = max(1, (width - _LABEL) // 2)
    pools = [(pool, list(each)) for pool, each in groupby(sorted(spots, key=_pool), key=_pool)]
    if sum(-(-len(each) // across) for _, each in pools) > most:
        pools = [(pool, [one for one in each if one.look is not Look.WELL]) for pool, each in pools]
    rows = (row for pool, each in pools for row in _rows(pool, each, across))
    yield from islice(rows, most)


def _rows(pool: str, spots: Sequence[Spot], across: int) -> Iterator[Text]:
    for start in range(0, max(1, len(spots)), across):
        row = Text(f"{pool[: _LABEL - 1] if start == 0 else '':<{_LABEL}}", no_wrap=True)
        for spot in spots[start : start + across]:
            style = f"{spot.look.style} reverse" if spot.real else spot.look.style
            row.append(spot.look.sign, style=style)
            row.append(" ")
        yield row


def _legend(spots: Sequence[Spot]) -> Text:
    counts = Counter(spot.look for spot in spots)
    legend = Text(f"{'':<{_LABEL}}", no_wrap=True, overflow="ellipsis")
    for look in Look:
        if counts[look]:
            legend.append(look.sign, style=look.style)
            legend.append(f" {counts[look]} {look.means}  ", style="dim")
    return legend


def _limits(usages: Sequence[Usage]) -> Text:
    row = Text(f"{'limits':<{_LABEL}}", no_wrap=True, overflow="ellipsis")
    for number, each in enumerate(usages):
        full = each.disrupted >= each.disrupted_limit
        row.append(f"{each.scope} ", style="bold")
        row.append(f"{each.disrupted}/{each.disrupted_limit}", style="magenta" if full else "")
        row.append(f"{' disrupted' if number == 0 else ''} {each.out}/{each.out_limit}")
        row.append(f"{' out' if number == 0 else ''}   ")
    return row


def _listed(picture: Picture, room: int) -> list[NodeRepair]:
    """Choose the repairs to be shown: those that are open, then those that ended last."""
    ended = [each for each in picture.repairs if not plan.is_open(each)]
    newest = sorted(ended, key=_ended, reverse=True)
    return [*repairing.chosen(picture.repairs), *newest][: max(0, room)]


def _repairs(listed: Sequence[NodeRepair], picture: Picture, width: int) -> Table:
    """Draw repairs, one a line: only what it waits for gives way when there is no room."""
    rows = [_row(each, picture) for each in listed]
    taken = sum(max(len(row[at]) for row in (_HEADS, *rows)) + 1 for at in range(len(_HEADS)))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in _HEADS:
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    room = max(1, width - taken)
    table.add_column("WHAT IT WAITS FOR", no_wrap=True, overflow="ellipsis", max_width=room)
    for (node, rule, phase, since), each in zip(rows, listed, strict=True):
        style = repairing.STYLES.get(each.status.phase, "")
        table.add_row(node, rule, Text(phase, style=style), since, each.status.message)
    return table


def _row(repair: NodeRepair, picture: Picture) -> tuple[str, str, str, str]:
    target, rule = repair.spec.target.node, repair.spec.rule
    return target, rule, repairing.phase_of(repair), repairing.since(repair, picture.now)


def _ended(repair: NodeRepair) -> float:
    return repair.status.timeline[-1].at.timestamp() if repair.status.timeline else 0.0


def _pool(spot: Spot) -> str:
    return spot.pool


def _line(words: str, style: str) -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _cut(line: Text) -> Text:
    cut = line.copy()
    cut.no_wrap, cut.overflow = True, "ellipsis"
    return cut


def _spoken(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60}:{seconds % 60:02}"
