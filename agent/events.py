"""How occurrences become counted events, each counted once however often it is read."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from agent.readings import Occurrence
from nodehealth import history
from nodehealth.health import Event, Fields
from nodehealth.kube.objects import Struct

MOST: Final = 128
"""How many events a report may hold."""

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, int | str], ...]]


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a numbered source has been read, in one boot."""

    boot_id: str
    position: int


Cursors: TypeAlias = Mapping[str, Cursor]


def fold(
    events: tuple[Event, ...], cursors: Cursors, news: Iterable[Occurrence], boot_id: str
) -> tuple[tuple[Event, ...], Cursors]:
    """Count what lies beyond the cursors, and move them.

    When there are too many, those of earlier boots go first, then those that are quiet longest.
    """
    rising = sorted(news, key=lambda occurrence: occurrence.position)
    unread = [each for each in rising if not _is_read(cursors.get(each.source), each, boot_id)]
    read = {
        each.source: Cursor(boot_id=boot_id, position=each.position)
        for each in unread
        if each.source
    }
    return _count(events, unread, boot_id), {**cursors, **read}


def _count(
    events: tuple[Event, ...], unread: Iterable[Occurrence], boot_id: str
) -> tuple[Event, ...]:
    counted = {_key(each.name, each.subject, each.fields): each for each in events}
    for each in unread:
        key = _key(each.name, each.subject, each.fields)
        counted[key] = _counted(counted.get(key), each, boot_id)
    return _kept(counted.values(), boot_id)


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
    earlier = before.count if before.boot_id == boot_id else 0
    return msgspec.structs.replace(
        before,
        boot_id=boot_id,
        count=earlier + occurrence.count,
        history=history.record(before.history, occurrence.at, occurrence.count),
    )


def _kept(events: Iterable[Event], boot_id: str) -> tuple[Event, ...]:
    newest_first = sorted(events, key=_until, reverse=True)
    newest_first.sort(key=lambda each: each.boot_id != boot_id)
    return tuple(sorted(newest_first[:MOST], key=lambda e: _key(e.name, e.subject, e.fields)))


def _until(event: Event) -> float:
    return event.history.until.timestamp() if event.history.until else 0.0
