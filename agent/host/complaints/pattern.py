"""What a line of the kernel's log looks like that tells of trouble, and what that is called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SUBJECT: Final = "subject"
COUNT: Final = "count"
PID: Final = "pid"
_NO_FIELDS: Final = frozenset({SUBJECT, COUNT, PID})
_LONGEST: Final = 1024
"""Characters of a line that are looked at: the kernel writes no longer ones."""
_MOST: Final = 10_000
"""How often a line may say at most that something happened."""
DEVICE: Final = r"(?P<subject>[\w.!-]{1,32})"
PCI: Final = r"(?P<subject>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a line tells."""

    signal: str
    subject: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    pid: int | None = None
    """The thread it is about: what is known of it must be asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One form of line. It begins where the line does: who logs about trouble is in none."""

    signal: str
    words: tuple[str, ...]
    """One of them is in every such line."""
    line: re.Pattern[str]
    """Its groups are fields, but for `subject`, `count` and `pid`."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What is true of every such line."""
    means: Mapping[str, str] = field(default_factory=dict)
    """What the line's own words are called here."""

    def read(self, text: str) -> Complaint | None:
        """Return what a line tells, if it has this form."""
        found = self.line.match(text, 0, _LONGEST)
        if found is None:
            return None
        groups = {name: said for name, said in found.groupdict().items() if said is not None}
        own = {
            name: self.means.get(said, said)
            for name, said in groups.items()
            if name not in _NO_FIELDS
        }
        return Complaint(
            signal=self.signal,
            subject=groups.get(SUBJECT, ""),
            fields={**self.fields, **own},
            count=max(1, min(int(groups.get(COUNT, 1)), _MOST)),
            pid=int(groups[PID]) if PID in groups else None,
        )


def pattern(
    signal: str,
    line: str,
    *words: str,
    fields: Mapping[str, str] | None = None,
    means: Mapping[str, str] | None = None,
) -> Pattern:
    """Write a pattern down in a few words."""
    return Pattern(
        signal=signal,
        words=words,
        line=re.compile(line),
        fields=fields or {},
        means=means or {},
    )
