"""What a line of the kernel's log looks like that tells of trouble, and what that is called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.host.complaints import form
from agent.host.complaints.form import Form, Written
from nodehealth.kit import settings

SUBJECT: Final = "subject"
COUNT: Final = "count"
PID: Final = "pid"
_NO_FIELDS: Final = frozenset({SUBJECT, COUNT, PID})
_MOST: Final = 10_000
"""How often a line may say at most that something happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a line tells."""

    signal: str
    subject: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    pid: int | None = None
    """The thread it is about: what is known of it must be asked at once."""
    pattern: str = field(default="", compare=False)
    """By the name of which pattern it was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern(Form):
    """A form of line that tells something. Its groups are fields, but for a few."""

    signal: str = ""
    """Empty where it takes more than words to say what a line tells."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What is true of every such line."""
    means: Mapping[str, str] = field(default_factory=dict)
    """What the line's own words are called here."""

    def read(self, text: str) -> Complaint | None:
        """Return what a line tells, if it has this form."""
        found = self.found(text)
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
            pattern=self.name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written(Written):
    """A pattern as it is written down."""

    signal: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    means: Mapping[str, str] = field(default_factory=dict)


def read(file: Path) -> tuple[Pattern, ...]:
    """Read the patterns of a table, and prove each by its samples.

    Raises:
        SettingsError: one of them is wrong.
    """
    return tuple(_proven(each, form.path(file, at)) for at, each in enumerate(form.listed(file)))


def _proven(given: object, path: str) -> Pattern:
    written = settings.read(_Written, given, path)
    pattern = Pattern(
        name=written.name,
        words=written.words,
        line=form.compiled(written, path),
        signal=written.signal,
        fields=written.fields,
        means=written.means,
    )
    form.prove(pattern, written, path)
    return pattern
