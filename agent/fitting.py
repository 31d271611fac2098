"""A report that fits into its share of etcd: what matters least is left out first, and it is said.

The flips of the levels that are quiet longest go first, then levels that do not apply, then those
levels and events that have been what they are for longest. Whatever is left out, a failed probe
named `report` says so.
"""

import bisect
import logging
from datetime import datetime
from enum import IntEnum
from typing import Final, TypeAlias

import msgspec

from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.history import History
from nodehealth.signals import Knowledge

LIMIT: Final = 7 * 1024
"""Bytes of a status, so that the object with its metadata and managed fields stays below 8 KiB."""
PROBE: Final = "report"

logger = logging.getLogger(__name__)


class _Part(IntEnum):
    FLIPS = 0
    LEVEL = 1
    EVENT = 2


_Sacrifice: TypeAlias = tuple[_Part, int]
"""A part of the report, and its index there."""


def size(status: NodeHealthStatus) -> int:
    """Return how many bytes a status takes on the wire."""
    return len(msgspec.json.encode(status))


def fit(status: NodeHealthStatus, now: datetime, limit: int = LIMIT) -> NodeHealthStatus:
    """Return the status, or as much of it as fits."""
    whole = size(status)
    if whole <= limit:
        return status
    order = _order(status)

    def saves_enough(count: int) -> bool:
        return size(_without(status, order[:count], now)) <= limit

    count = 1 + bisect.bisect_left(range(1, len(order)), x=True, key=saves_enough)
    smaller = _without(status, order[:count], now)
    logger.warning("the report takes %d bytes of %d; %s", whole, limit, smaller.probes[-1].message)
    return smaller


def _order(status: NodeHealthStatus) -> list[_Sacrifice]:
    """Return all that can be left out, what matters least first."""
    flips = sorted(enumerate(status.levels), key=lambda entry: _last(entry[1].flips))
    absent = [index for index, level in enumerate(status.levels) if _is_absent(level)]
    facts = [
        *(
            (level.since.timestamp(), (_Part.LEVEL, index))
            for index, level in enumerate(status.levels)
            if not _is_absent(level)
        ),
        *(
            (_last(event.history), (_Part.EVENT, index))
            for index, event in enumerate(status.events)
        ),
    ]
    return [
        *((_Part.FLIPS, index) for index, level in flips if level.flips != History()),
        *((_Part.LEVEL, index) for index in absent),
        *(part for _, part in sorted(facts)),
    ]


def _without(
    status: NodeHealthStatus, sacrifices: list[_Sacrifice], now: datetime
) -> NodeHealthStatus:
    gone = frozenset(sacrifices)
    return msgspec.structs.replace(
        status,
        levels=tuple(
            _forgetting(level) if (_Part.FLIPS, index) in gone else level
            for index, level in enumerate(status.levels)
            if (_Part.LEVEL, index) not in gone
        ),
        events=_left(status.events, gone),
        probes=(*status.probes, _confession(sacrifices, now)),
    )


def _left(events: tuple[Event, ...], gone: frozenset[_Sacrifice]) -> tuple[Event, ...]:
    return tuple(event for index, event in enumerate(events) if (_Part.EVENT, index) not in gone)


def _confession(sacrifices: list[_Sacrifice], now: datetime) -> ProbeReport:
    parts = [part for part, _ in sacrifices]
    message = (
        "left out of a report that is too large: "
        f"flips of {parts.count(_Part.FLIPS)} levels, "
        f"{parts.count(_Part.LEVEL)} levels, {parts.count(_Part.EVENT)} events"
    )
    return ProbeReport(name=PROBE, state=ProbeState.FAILED, since=now, message=message)


def _is_absent(level: Level) -> bool:
    return level.knowledge is Knowledge.NOT_APPLICABLE


def _last(past: History) -> float:
    return past.until.timestamp() if past.until else 0.0


def _forgetting(level: Level) -> Level:
    return msgspec.structs.replace(level, flips=History())
