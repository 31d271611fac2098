"""The report as it travels: what is the same of several subjects is said once, times in seconds.

Whoever reads it never sees the difference: a status unpacks itself. What is true of one subject
alone stands first, as a person would read it; only where that takes too much room does it point to
the tables of subjects and fields, as that does which is true of several.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final, TypeAlias

import msgspec

from nodehealth import history
from nodehealth.health import Event, Fields, Level, NodeHealthStatus, ProbeReport
from nodehealth.history import History

LIMIT: Final = 12 * 1024
"""Bytes of a status: all that is known of a machine with eight GPUs, as many adapters and disks."""
_LEGIBLE: Final = 7 * 1024
"""Bytes up to which nothing points to a table that a person would rather read where it stands."""
_FIELDS: Final = msgspec.structs.fields(NodeHealthStatus)

_NO_PAST: Final = Level(name="", since=datetime.min).flips  # noqa: DTZ901 - never told
"""The default itself: nothing else is left out on the wire."""

_Alike: TypeAlias = Sequence[Level]
"""Levels that differ in nothing but their subjects and fields."""


def packed(status: NodeHealthStatus) -> dict[str, object]:
    """Return a status with every key present: a merge patch keeps what it does not name."""
    alike = _alike(status.levels)
    often = _often(alike, status.events)
    whole = {field.encode_name: getattr(status, field.name) for field in _FIELDS}
    whole |= {"probes": tuple(_probes(status.probes))}
    events = [_event(each, status) for each in status.events]
    readable = {**whole, **_tabled(alike, events, often)}
    if _bytes(readable) <= _LEGIBLE:
        return readable
    return min(readable, {**whole, **_tabled(alike, events, often, is_dense=True)}, key=_bytes)


def size(status: NodeHealthStatus) -> int:
    """Return how many bytes a status takes on the wire."""
    return _bytes(packed(status))


def _bytes(whole: dict[str, object]) -> int:
    return len(msgspec.json.encode(whole))


def _tabled(
    alike: Collection[_Alike],
    events: Iterable[Event],
    often: Collection[str],
    *,
    is_dense: bool = False,
) -> dict[str, object]:
    """Return levels and events, and the tables that they point to.

    Args:
        alike: The levels, what is said of few before what is said of many.
        events: The events.
        often: Subjects of which more than one thing is said.
        is_dense: Whether even what is true of one of them alone points to it.
    """
    tables = _Tables(often)
    several = [tables.of_all(each) for each in alike if len(each) > 1]
    single = (each[0] for each in alike if len(each) == 1)
    alone = [tables.of_one(each) if is_dense else each for each in single]
    return {
        "levels": (*_joined(alone), *_joined(several)),
        "events": tuple(map(tables.of_event, events) if is_dense else events),
        "subjects": tuple(tables.subjects),
        "fieldSets": tuple(map(dict, tables.sets)),
    }


class _Tables:
    """What levels point to, each entry with its number."""

    def __init__(self, often: Collection[str]) -> None:
        self._often = often
        self.subjects: dict[str, int] = {}
        self.sets: dict[tuple[tuple[str, int | str], ...], int] = {}

    def of_all(self, alike: _Alike) -> Level:
        """Return one level that says all of several."""
        first, *others = alike
        are_same = all(each.fields == first.fields for each in others)
        if are_same and not any(each.subject in self._often for each in alike):
            return msgspec.structs.replace(first, more_subjects=tuple(o.subject for o in others))
        of = tuple(map(self._subject, alike))
        if are_same:
            return msgspec.structs.replace(first, subject="", of=of)
        sets = tuple(self.sets.setdefault(_key(each.fields), len(self.sets)) for each in alike)
        return msgspec.structs.replace(first, subject="", fields={}, of=of, field_sets=sets)

    def of_one(self, level: Level) -> Level:
        """Return a level that points to what others point to, too."""
        if level.subject not in self._often:
            return level
        pointing = msgspec.structs.replace(level, subject="", of=(self._subject(level),))
        at = self.sets.get(_key(level.fields))
        if at is None:
            return pointing
        return msgspec.structs.replace(pointing, fields={}, field_sets=(at,))

    def of_event(self, event: Event) -> Event:
        """Return an event that points to its subject, if others do."""
        if event.subject not in self._often:
            return event
        return msgspec.structs.replace(event, subject="", of=(self._subject(event),))

    def _subject(self, level: Level | Event) -> int:
        return self.subjects.setdefault(level.subject, len(self.subjects))


def _alike(levels: Iterable[Level]) -> Collection[_Alike]:
    """Gather what differs in nothing but its subject and fields, the fewest first.

    What is true of most subjects is said of all that there are: the others were spoken of before.
    """
    alike: dict[str, dict[object, list[Level]]] = {}
    for each in map(_level, levels):
        same = (each.since, each.value, each.knowledge, each.flips)
        alike.setdefault(each.name, {}).setdefault(same, []).append(each)
    found = list[_Alike]()
    for kinds in alike.values():
        *few, most = sorted(kinds.values(), key=len)
        found += few
        found.append(most if len(most) == 1 else _of_everyone(most, few))
    return sorted(found, key=len)


def _of_everyone(most: _Alike, few: Iterable[_Alike]) -> _Alike:
    """Say of all subjects what is true of most, with fields that make no entry of their own."""
    fields = most[0].fields
    are_same = all(each.fields == fields for each in most)
    others = (
        msgspec.structs.replace(
            most[0], subject=each.subject, fields=fields if are_same else each.fields
        )
        for each in chain.from_iterable(few)
    )
    return sorted((*most, *others), key=lambda level: level.subject)


def _joined(levels: Iterable[Level]) -> Iterable[Level]:
    """Say as one what differs in nothing but what it is called and its value."""
    joined: dict[object, list[Level]] = {}
    for each in levels:
        of = (each.subject, each.more_subjects, each.of, each.field_sets, _key(each.fields))
        joined.setdefault((of, each.since, each.knowledge, each.flips), []).append(each)
    for first, *others in joined.values():
        also = {each.name: _number(each.value) for each in others}
        yield msgspec.structs.replace(first, value=_number(first.value), also=also)


def _number(value: float | None) -> float | None:
    """Leave out what is behind the point where nothing is."""
    return int(value) if value is not None and float(value).is_integer() else value


def _probes(probes: Iterable[ProbeReport]) -> Iterable[ProbeReport]:
    """Say once what is true of several probes."""
    alike: dict[object, list[ProbeReport]] = {}
    for each in probes:
        alike.setdefault((each.state, _second(each.since), each.message), []).append(each)
    for first, *others in alike.values():
        names = tuple(each.name for each in others)
        yield msgspec.structs.replace(first, since=_second(first.since), more_names=names)


def _often(alike: Iterable[_Alike], events: Iterable[Event]) -> frozenset[str]:
    """Return the subjects of more than one of what is said."""
    counted = Counter(level.subject for level in chain.from_iterable(alike))
    counted.update(event.subject for event in events)
    return frozenset(subject for subject, count in counted.items() if subject and count > 1)


def _key(fields: Fields) -> tuple[tuple[str, int | str], ...]:
    return tuple(fields.items())


def _level(level: Level) -> Level:
    return msgspec.structs.replace(level, since=_second(level.since), flips=_history(level.flips))


def _event(event: Event, status: NodeHealthStatus) -> Event:
    boot_id = "" if event.boot_id == status.boot_id else event.boot_id
    return msgspec.structs.replace(event, boot_id=boot_id, history=_history(event.history))


def _history(past: History) -> History:
    return _NO_PAST if past.until is None else history.packed(past)


def _second(time: datetime) -> datetime:
    return time.replace(microsecond=0)
