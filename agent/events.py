"""How occurrences become counted events, each counted once however often it is read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from agent import crowds
from agent.readings import Occurrence
from nodehealth import history
from nodehealth.health import Event, Fields
from nodehealth.history import History
from nodehealth.kube.objects import Struct

MOST: Final = 128
"""How many events a report may hold."""
PROBE: Final = "events"
"""Under its name the report says that more happened than it holds."""
KEPT: Final = timedelta(days=1)
"""How long after it happened last an event keeps its history; it counts for the whole boot."""

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, int | str], ...]]


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a numbered source has been read, in one boot."""

    boot_id: str
    position: int


Cursors: TypeAlias = Mapping[str, Cursor]


def unread(
    cursors: Cursors, news: Iterable[Occurrence], *, boot_id: str
) -> tuple[tuple[Occurrence, ...], Cursors]:
    """Return what lies beyond the cursors, and where they stand behind it."""
    rising = sorted(news, key=lambda occurrence: occurrence.position)
    beyond = tuple(each for each in rising if not _is_read(cursors.get(each.source), each, boot_id))
    read = {
        each.source: Cursor(boot_id=boot_id, position=each.position)
        for each in beyond
        if each.source
    }
    return beyond, {**cursors, **read}


def fold(
    events: tuple[Event, ...], news: Iterable[Occurrence], *, boot_id: str, now: datetime
) -> tuple[tuple[Event, ...], int]:
    """Count what happened, and say how many events were too many.

    What belongs to another boot is gone; when there are still too many, those go for
    which most newer ones stand, and of those the ones that are quiet longest.
    """
    ours = (each for each in events if each.boot_id == boot_id)
    counted = [_aged(each, now) for each in _count(ours, news, boot_id)]
    return _kept(counted), max(0, len(counted) - MOST)


def _count(events: Iterable[Event], unread: Iterable[Occurrence], boot_id: str) -> Iterable[Event]:
    counted = {_key(each.name, each.subject, each.fields): each for each in events}
    places = Counter(_common(key) for key in counted)
    for each in unread:
        key = _key(each.name, each.subject, each.fields)
        if key not in counted and places[_common(key)] >= crowds.MOST_PLACES:
            key = _common(key)
        places[_common(key)] += key not in counted
        counted[key] = _counted(counted.get(key), each, dict(key[2]), boot_id)
    return counted.values()


def _common(key: _Key) -> _Key:
    """Return the key of all that happened likewise to a subject, wherever."""
    name, subject, fields = key
    return _key(name, subject, crowds.without_places(dict(fields)))


def _key(name: str, subject: str, fields: Fields) -> _Key:
    return name, subject, tuple(sorted(fields.items()))


def _is_read(cursor: Cursor | None, occurrence: Occurrence, boot_id: str) -> bool:
    if cursor is None or cursor.boot_id != boot_id:
        return False
    return occurrence.position <= cursor.position


def _counted(before: Event | None, occurrence: Occurrence, fields: Fields, boot_id: str) -> Event:
    if before is None:
        before = Event(
            name=occurrence.name,
            subject=occurrence.subject,
            fields=fields,
            boot_id=boot_id,
            count=0,
        )
    return msgspec.structs.replace(
        before,
        count=before.count + occurrence.count,
        history=history.record(before.history, occurrence.at, occurrence.count),
    )


def _aged(event: Event, now: datetime) -> Event:
    """Forget when it happened, but for the last time, once that is too long ago to be asked for."""
    if now - crowds.until(event) < KEPT:
        return event
    return msgspec.structs.replace(event, history=History(until=event.history.until))


def _kept(events: Sequence[Event]) -> tuple[Event, ...]:
    crowding = crowds.crowding(events)
    newest = sorted(range(len(events)), key=lambda at: crowds.until(events[at]), reverse=True)
    kept = [events[at] for at in sorted(newest, key=lambda at: crowding[at])[:MOST]]
    return tuple(sorted(kept, key=lambda each: _key(each.name, each.subject, each.fields)))
