"""The report as it travels: what is the same of several subjects is said once, times in seconds.

Whoever reads it never sees the difference: a status unpacks itself.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from nodehealth.health import Event, Level, NodeHealthStatus
from nodehealth.history import History

_FIELDS: Final = msgspec.structs.fields(NodeHealthStatus)


def packed(status: NodeHealthStatus) -> dict[str, object]:
    """Return a status with every key present: a merge patch keeps what it does not name."""
    whole = {field.encode_name: getattr(status, field.name) for field in _FIELDS}
    levels, events = _levels(status.levels), tuple(_event(each) for each in status.events)
    return {**whole, "levels": levels, "events": events}


def size(status: NodeHealthStatus) -> int:
    """Return how many bytes a status takes on the wire."""
    return len(msgspec.json.encode(packed(status)))


def _levels(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Say once what differs in nothing but its subject."""
    alike: dict[bytes, list[Level]] = {}
    for each in map(_level, levels):
        said = msgspec.json.encode(msgspec.structs.replace(each, subject=""))
        alike.setdefault(said, []).append(each)
    return tuple(
        msgspec.structs.replace(first, more_subjects=tuple(each.subject for each in others))
        for first, *others in alike.values()
    )


def _level(level: Level) -> Level:
    flips = _history(level.flips)
    return msgspec.structs.replace(level, since=_second(level.since), flips=flips)


def _event(event: Event) -> Event:
    return msgspec.structs.replace(event, history=_history(event.history))


def _history(past: History) -> History:
    until = _second(past.until) if past.until else None
    last = tuple(_second(each) for each in past.last)
    return msgspec.structs.replace(past, last=last, until=until)


def _second(time: datetime) -> datetime:
    return time.replace(microsecond=0)
