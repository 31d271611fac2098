"""How a reading becomes a level: on the grid, with the time since which it holds.

A level's time changes when its value does, or when it begins or ceases to apply. Not knowing is no
value: a level that is unknown for a while keeps its last value and the time since which it has had
it. One that does not apply for a while, as a link that an administrator takes down, keeps it too.
"""

from datetime import datetime

import msgspec

from agent.readings import Reading
from nodehealth import history
from nodehealth.health import Fields, Level
from nodehealth.history import History
from nodehealth.signals import Grid, Knowledge


def fold(before: Level | None, reading: Reading, grid: Grid, now: datetime) -> Level:
    """Return the level after a reading; a change from one number to another is a flip."""
    was = before.value if before else None
    value = _value(None if _is_another(before, reading) else was, reading, grid)
    stays = before is not None and value == was and _applies(before) == _applies(reading)
    return Level(
        name=reading.name,
        subject=reading.subject,
        value=value,
        knowledge=reading.knowledge,
        since=before.since if before is not None and stays else now,
        fields=_fields(before, reading),
        flips=_flips(before, value, now),
    )


def unknown(level: Level) -> Level:
    """Return the level when nobody can read it any more."""
    return msgspec.structs.replace(level, knowledge=Knowledge.UNKNOWN)


def _fields(before: Level | None, reading: Reading) -> Fields:
    """Return what is said with a value; what was said with the last one, while there is none."""
    is_told = reading.knowledge is Knowledge.KNOWN or bool(reading.fields)
    return reading.fields if is_told or before is None else before.fields


def _value(was: float | None, reading: Reading, grid: Grid) -> float | None:
    if reading.value is None:
        return was
    return grid.snap(reading.value, was)


def _is_another(before: Level | None, reading: Reading) -> bool:
    """Say whether it does not apply to what has come into the place of what was."""
    changed = before is not None and bool(reading.fields) and reading.fields != before.fields
    return changed and not _applies(reading)


def _applies(told: Level | Reading) -> bool:
    return told.knowledge is not Knowledge.NOT_APPLICABLE


def _flips(before: Level | None, value: float | None, now: datetime) -> History:
    past = before.flips if before else History()
    flipped = before is not None and None not in (before.value, value) and before.value != value
    return history.record(past, now) if flipped else past
