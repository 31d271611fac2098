"""A report that fits into its share of etcd: what matters least is left out first, and it is said.

Detail goes first: the counts of long ago, then when levels flipped. Then whole levels go, those
that do not apply first and then those that are nearest to what they are on a healthy node; then
events, those for which most newer ones stand first, and then those that are quiet longest, of all
of them before that but their last times; and what is bad goes last. While only flips are left out,
nothing is missing that a verdict needs; beyond that, a failed probe named `report` says so.
"""

import bisect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final, TypeAlias

import msgspec

from agent import crowds, packing
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.history import History
from nodehealth.signals import Knowledge, Signal, Unit

LEFT_OUT: Final = ("flips", "counts", "levels", "events")
"""What a report may lack, in the order in which it goes."""
LIMIT: Final = packing.LIMIT
PROBE: Final = "report"
_FAR: Final = 0.5
"""How far a level is from what is healthy when it is kept longer than what happened."""


_NEAR: Final = 0.4
"""How far a level is when it is kept longer than when something happened before the last time."""


class _Part(IntEnum):
    FLIPS = 0
    BUCKETS = 1
    """The counts of an event per hour and five minutes; its last times stay."""
    LEVEL = 2
    EVENT = 3
    TIMES = 4
    """The last times of an event but for the very last."""


_Sacrifice: TypeAlias = tuple[_Part, int]
"""A part of the report, and its index there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A report that fits."""

    status: NodeHealthStatus
    size: int
    """Bytes on the wire."""
    left_out: Mapping[str, int]
    """How many of each of LEFT_OUT it lacks."""
    message: str = ""
    """The same in words; empty when it lacks nothing."""


def fit(
    status: NodeHealthStatus,
    now: datetime,
    limit: int = LIMIT,
    catalogue: Mapping[str, Signal] = CATALOGUE,
) -> Fitted:
    """Return the status, or as much of it as fits."""
    whole = packing.size(status)
    if whole <= limit:
        return Fitted(status=status, size=whole, left_out=dict.fromkeys(LEFT_OUT, 0))
    order = [*_details(status), *_facts(status, catalogue)]

    def saves_enough(count: int) -> bool:
        return packing.size(_without(status, order[:count], now)) <= limit

    count = 1 + bisect.bisect_left(range(1, len(order)), x=True, key=saves_enough)
    smaller = _without(status, order[:count], now)
    return Fitted(
        status=smaller,
        size=packing.size(smaller),
        left_out=_counted(order[:count]),
        message=smaller.probes[-1].message,
    )


def _details(status: NodeHealthStatus) -> Iterator[_Sacrifice]:
    """Give what can be left out of levels and events, the oldest first of each kind."""
    events = sorted(enumerate(status.events), key=lambda entry: _last(entry[1].history))
    levels = sorted(enumerate(status.levels), key=lambda entry: _last(entry[1].flips))
    yield from ((_Part.FLIPS, at) for at, level in levels if level.flips != History())
    yield from ((_Part.BUCKETS, at) for at, event in events if event.history.hours)


def _facts(status: NodeHealthStatus, catalogue: Mapping[str, Signal]) -> list[_Sacrifice]:
    """Return all levels and events, what matters least first."""
    crowding = crowds.crowding(status.events)
    ranked: list[tuple[float, int, float, _Sacrifice]] = [
        (_distance(level, catalogue), 0, level.since.timestamp(), (_Part.LEVEL, at))
        for at, level in enumerate(status.levels)
    ]
    for at, event in enumerate(status.events):
        ranked.append((_NEAR, -crowding[at], _last(event.history), (_Part.TIMES, at)))
        ranked.append((_FAR, -crowding[at], _last(event.history), (_Part.EVENT, at)))
    return [part for *_, part in sorted(ranked)]


def _distance(level: Level, catalogue: Mapping[str, Signal]) -> float:
    """Return how far a level is from what it is on a healthy node, from 0 to 1; -1 for no fact."""
    signal = catalogue.get(level.name)
    if level.knowledge is Knowledge.NOT_APPLICABLE:
        return -1.0
    if level.knowledge is Knowledge.UNKNOWN or level.value is None or signal is None:
        return 0.0
    distance = abs(level.value - signal.healthy)
    whole = signal.unit in {Unit.RATIO, Unit.BOOLEAN}
    return distance if whole else float(distance > 0)


def _without(
    status: NodeHealthStatus, sacrifices: list[_Sacrifice], now: datetime
) -> NodeHealthStatus:
    gone = frozenset(sacrifices)
    return msgspec.structs.replace(
        status,
        levels=tuple(
            _forgetting(level) if (_Part.FLIPS, at) in gone else level
            for at, level in enumerate(status.levels)
            if (_Part.LEVEL, at) not in gone
        ),
        events=tuple(
            _summed(event, at, gone)
            for at, event in enumerate(status.events)
            if (_Part.EVENT, at) not in gone
        ),
        probes=(*status.probes, _confession(sacrifices, now)),
    )


def _confession(sacrifices: list[_Sacrifice], now: datetime) -> ProbeReport:
    gone = _counted(sacrifices)
    message = (
        "left out of a report that is too large: "
        f"flips of {gone['flips']} levels, counts of {gone['counts']} events, "
        f"{gone['levels']} levels, {gone['events']} events"
    )
    is_whole = gone["flips"] == len(sacrifices)
    state = ProbeState.OK if is_whole else ProbeState.FAILED
    return ProbeReport(name=PROBE, state=state, since=now, message=message)


def _counted(sacrifices: list[_Sacrifice]) -> Mapping[str, int]:
    parts = [part for part, _ in sacrifices]
    return {word: parts.count(part) for word, part in zip(LEFT_OUT, _Part, strict=False)}


def _last(past: History) -> float:
    return past.until.timestamp() if past.until else 0.0


def _forgetting(level: Level) -> Level:
    return msgspec.structs.replace(level, flips=History())


def _summed(event: Event, at: int, gone: Collection[_Sacrifice]) -> Event:
    past = event.history
    if (_Part.BUCKETS, at) in gone:
        past = msgspec.structs.replace(past, five_minutes=(), hours=())
    if (_Part.TIMES, at) in gone:
        past = msgspec.structs.replace(past, last=past.last[-1:])
    return event if past is event.history else msgspec.structs.replace(event, history=past)
