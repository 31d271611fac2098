"""The report as it travels: what is the same of several levels is said once, times in seconds.

Whoever reads it never sees the difference: a status unpacks itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

import msgspec

from nodehealth.health import Event, Level, NodeHealthStatus
from nodehealth.history import History

_FIELDS: Final = msgspec.structs.fields(NodeHealthStatus)
_CALM: Final = next(each.default for each in msgspec.structs.fields(Level) if each.name == "flips")
"""The very object that is left out of what is written."""


def packed(status: NodeHealthStatus) -> dict[str, object]:
    """Return a status with every key present: a merge patch keeps what it does not name."""
    whole = {field.encode_name: getattr(status, field.name) for field in _FIELDS}
    alike = _by_subject(map(_level, status.levels))
    subjects = _shared(alike)
    levels = _by_name(_levels(alike, subjects))
    events = tuple(_event(each) for each in status.events)
    return {**whole, "levels": levels, "subjects": subjects, "events": events}


def size(status: NodeHealthStatus) -> int:
    """Return how many bytes a status takes on the wire."""
    return len(msgspec.json.encode(packed(status)))


def _by_subject(levels: Iterable[Level]) -> Sequence[Sequence[Level]]:
    """Put together what differs in nothing but its subject."""
    return _alike(levels, subject="")


def _shared(alike: Iterable[Sequence[Level]]) -> tuple[str, ...]:
    """Return the subjects that are worth a place among those that are only said once."""
    uses = Counter(chain.from_iterable({each.subject for each in same} for same in alike))
    together = dict.fromkeys(each.subject for same in alike if len(same) > 1 for each in same)
    single = {same[0].subject for same in alike if len(same) == 1}
    return tuple(each for each in together if uses[each] > 1 or each not in single)


def _levels(alike: Iterable[Sequence[Level]], subjects: Sequence[str]) -> Iterable[Level]:
    """Say once what is the same of several subjects."""
    places = {subject: place for place, subject in enumerate(subjects)}
    for same in alike:
        if same[0].subject in places:
            among = tuple(places[each.subject] for each in same)
            yield msgspec.structs.replace(same[0], subject="", among=among)
        else:
            yield same[0]


def _by_name(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Say once what is the same of several signals."""
    return tuple(
        msgspec.structs.replace(first, more_names=tuple(each.name for each in others))
        for first, *others in _alike(levels, name="")
    )


def _alike(levels: Iterable[Level], **besides: str) -> Sequence[Sequence[Level]]:
    """Put together the levels that are the same when something of them is disregarded."""
    alike: dict[bytes, list[Level]] = {}
    for each in levels:
        said = msgspec.json.encode(msgspec.structs.replace(each, **besides))
        alike.setdefault(said, []).append(each)
    return tuple(alike.values())


def _level(level: Level) -> Level:
    """Return a level to the second, its number without the point where that says nothing."""
    flips = _CALM if level.flips == History() else _history(level.flips)
    value = level.value
    short = int(value) if value is not None and value % 1 == 0 else value
    return msgspec.structs.replace(level, since=_second(level.since), value=short, flips=flips)


def _event(event: Event) -> Event:
    return msgspec.structs.replace(event, history=_history(event.history))


def _history(past: History) -> History:
    until = _second(past.until) if past.until else None
    last = tuple(_second(each) for each in past.last)
    return msgspec.structs.replace(past, last=last, until=until)


def _second(time: datetime) -> datetime:
    return time.replace(microsecond=0)
