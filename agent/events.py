"""How occurrences become counted events, each counted once however often it is read."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec

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

    What belongs to another boot is gone; when there are still too many, those that are quiet
    longest go.
    """
    ours = (each for each in events if each.boot_id == boot_id)
    counted = [_aged(each, now) for each in _count(ours, news, boot_id)]
    return _kept(counted), max(0, len(counted) - MOST)


def _count(events: Iterable[Event], unread: Iterable[Occurrence], boot_id: str) -> Iterable[Event]:
    counted = {_key(each.name, each.subject, each.fields): each for each in events}
    for each in unread:
        key = _key(each.name, each.subject, each.fields)
        counted[key] = _counted(counted.get(key), each, boot_id)
    return counted.values()


def _key(name: str, subject: str, fields: Fields) -> _Key:
    return name, subject, tuple(sorted(fields.items()))


def _is_read(cursor: Cursor | None, occurrence: Occurrence, boot_id: str) -> bool:
    if cursor is None or cursor.boot_id != boot_id:
        return False
    return occurrence.position <= cursor.position


def _counted(before: Event | None, occurrence: Occurrence, boot_id: str) -> Event:
    if before is None:
        before = Event(
            name=occurrence.name,
            subject=occurrence.subject,
            fields=occurrence.fields,
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
    if now - _until(event) < KEPT:
        return event
    return msgspec.structs.replace(event, history=History(until=event.history.until))


def _kept(events: Iterable[Event]) -> tuple[Event, ...]:
    newest_first = sorted(events, key=_until, reverse=True)
    return tuple(sorted(newest_first[:MOST], key=lambda e: _key(e.name, e.subject, e.fields)))


def _until(event: Event) -> datetime:
    return event.history.until or datetime.min.replace(tzinfo=UTC)
