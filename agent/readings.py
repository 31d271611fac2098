"""What a probe answers: readings of levels, and occurrences of events."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Fields
from nodehealth.signals import Author, FieldType, Kind, Knowledge, Signal, Unit

LONGEST_SUBJECT: Final = 253
FLEETING: Final = "~"
"""What begins the subject of a memo that is no reason to write the state, only worth keeping."""
_GROWING: Final = frozenset({Unit.PER_SECOND, Unit.RATIO})
"""What growth by time is a level of."""
_PYTHON_TYPES: Final = {FieldType.INT: int, FieldType.STRING: str}


class ReadingError(ValueError):
    """A probe said what the catalogue does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One level as it is now, not yet on its grid."""

    name: str
    subject: str = ""
    value: float | None = None
    knowledge: Knowledge = Knowledge.KNOWN
    fields: Fields = field(default_factory=dict)
    why: str = ""
    """Why it is unknown, in words that stay the same while it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An event that happened."""

    name: str
    at: datetime
    source: str = ""
    """The stream that numbers its occurrences, such as `kmsg`; none for what is said only once."""
    position: int = 0
    """Its number in that stream, rising within one boot: what was read before is not counted."""
    subject: str = ""
    fields: Fields = field(default_factory=dict)
    count: int = 1
    same: str = ""
    """What tells it from others where it is told in two ways, and is to be counted once."""
    via: str = ""
    """Which of the two ways this is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A number that the kernel only ever adds to; what counts is by how much it grew.

    The catalogue says as what: as an event that happened so often, as a rate per second, or as the
    share of the time that it counts.
    """

    name: str
    total: int
    uptime: float
    """When it was read, in seconds since the machine started: a clock that nobody sets."""
    scale: float = 1.0
    """What one of it is in the level's unit: 1e-9 for a ratio whose counter counts nanoseconds."""
    subject: str = ""
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """What a probe wants to find again in its past, and nobody else hears of.

    It stands there under no name, until the next look says what is to be remembered then.
    """

    subject: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What a probe could not watch: nobody knows what happened there."""

    why: str
    """In words that stay the same while it is so."""


Answer: TypeAlias = Reading | Occurrence | Counter
Aside: TypeAlias = Memo | Gap
"""What a probe says beside its answers."""


def checked(answer: Answer, catalogue: Mapping[str, Signal] = CATALOGUE) -> Signal:
    """Return the catalogue's entry for an answer.

    Raises:
        ReadingError: the catalogue has no such signal of an agent, or has it otherwise.
    """
    signal = catalogue.get(answer.name)
    if signal is None or signal.author is not Author.AGENT:
        ours = (name for name, each in catalogue.items() if each.author is Author.AGENT)
        known = ", ".join(sorted(ours))
        raise ReadingError(f"{answer.name}: unknown signal; known are {known}")
    if len(answer.subject) > LONGEST_SUBJECT:
        expected = f"a subject of at most {LONGEST_SUBJECT} characters"
        raise ReadingError(f"{answer.name}: expected {expected}, got {len(answer.subject)}")
    _check_text(answer.name, answer.subject)
    _check_fields(answer, signal)
    match answer:
        case Reading():
            _check_reading(answer, signal)
        case Occurrence():
            _check_occurrence(answer, signal)
        case Counter():
            _check_counter(answer, signal)
    return signal


def _check_fields(answer: Answer, signal: Signal) -> None:
    for name, value in answer.fields.items():
        kind = signal.fields.get(name)
        if kind is None:
            known = ", ".join(sorted(signal.fields)) or "none"
            raise ReadingError(f"{answer.name}.{name}: unknown field; known are {known}")
        if type(value) is not _PYTHON_TYPES[kind]:
            raise ReadingError(f"{answer.name}.{name}: expected {kind}, got {value!r}")
        _check_text(f"{answer.name}.{name}", value)


def _check_text(where: str, value: object) -> None:
    """Refuse names of files that are no text: nobody could write them down, nor us anything."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ReadingError(f"{where}: expected text, got {value!r}") from error


def _check_reading(reading: Reading, signal: Signal) -> None:
    if signal.kind is not Kind.LEVEL:
        raise ReadingError(f"{reading.name}: expected an occurrence of an event, got a reading")
    known = reading.knowledge is Knowledge.KNOWN
    if known and (reading.value is None or not math.isfinite(reading.value)):
        raise ReadingError(f"{reading.name}: expected a finite number, got {reading.value}")
    if not known and reading.value is not None:
        expected = f"no value while it is {reading.knowledge}"
        raise ReadingError(f"{reading.name}: expected {expected}, got {reading.value}")


def _check_occurrence(occurrence: Occurrence, signal: Signal) -> None:
    if signal.kind is not Kind.EVENT:
        raise ReadingError(f"{occurrence.name}: expected a reading of a level, got an occurrence")
    if occurrence.at.tzinfo is None:
        expected = "a time with its time zone"
        raise ReadingError(f"{occurrence.name}: expected {expected}, got {occurrence.at}")
    if occurrence.count < 1:
        raise ReadingError(f"{occurrence.name}: expected a count >= 1, got {occurrence.count}")


def _check_counter(counter: Counter, signal: Signal) -> None:
    if signal.kind is Kind.LEVEL and signal.unit not in _GROWING:
        raise ReadingError(f"{counter.name}: expected a reading of a level, got a counter")
    if counter.total < 0:
        raise ReadingError(f"{counter.name}: expected a total >= 0, got {counter.total}")
    is_event = signal.kind is Kind.EVENT
    if not 0 < counter.scale < math.inf or (is_event and counter.scale != 1):
        expected = "a scale of 1 for an event" if is_event else "a finite scale > 0"
        raise ReadingError(f"{counter.name}: expected {expected}, got {counter.scale}")
