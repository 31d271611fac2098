"""One record of the kernel's log as /dev/kmsg gives it, and which records anybody wants."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.host import complaints, nvrm
from agent.host.complaints import form

KERNEL: Final = 0
"""The facility of what the kernel itself says; everybody else's records have another one."""
_FACILITY: Final = 3
"""A priority is a facility, shifted by so many bits, and a severity."""

KMSG_SOURCE: Final = "kmsg"
"""Who numbers records where the kernel itself does."""

NVIDIA: Final = "nvidia"
OWN: Final = "own"
"""What patterns of the operator's own ask for."""

TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    NVIDIA: form.words(nvrm.PATTERNS),
    **complaints.WORDS,
    OWN: (),
}
"""By topic the words one of which is in every record of it: cheap to look for, and no proof."""


@dataclass(frozen=True, slots=True)
class Record:
    """What stands before a record's text, and its text, not yet decoded."""

    priority: int
    sequence: int
    microseconds: int
    """When it was written, since the machine started, by a clock that is not corrected."""
    text: bytes

    @property
    def facility(self) -> int:
        """Return who wrote it."""
        return self.priority >> _FACILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A record that somebody wants."""

    sequence: int
    """Its number: records are numbered from the start of the machine."""
    at: datetime
    """When it was written: of one that came while we listened, when it was read."""
    heard: datetime
    """When it was read."""
    up: float = 0.0
    """When that was by the loop's clock: in seconds since the machine started."""
    text: str
    source: str = KMSG_SOURCE
    """Who numbers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a log was read in this boot."""

    source: str
    """Whose numbers they are."""
    sequence: int
    microseconds: int
    """When the last record was written: the same in every source."""


def record(line: bytes) -> Record | None:
    """Read `priority,sequence,microseconds,flags;text`; None for what is no record."""
    head, semicolon, text = line.partition(b";")
    numbers = head.split(b",", 3)
    if not semicolon or len(numbers) < 3 or not all(map(bytes.isdigit, numbers[:3])):
        return None
    if max(map(len, numbers[:3])) > _LONGEST_NUMBER:
        return None
    return Record(int(numbers[0]), int(numbers[1]), int(numbers[2]), text)


_LONGEST_NUMBER: Final = 20
"""Digits of the largest number of 64 bits."""


_NOTHING: Final = re.compile(rb"(?!)")


def matcher(words: tuple[str, ...]) -> re.Pattern[bytes]:
    """Return what finds any of some words; without any it finds nothing."""
    if not words:
        return _NOTHING
    return re.compile(b"|".join(re.escape(each.encode()) for each in words))
