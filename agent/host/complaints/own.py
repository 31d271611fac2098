"""Lines of the kernel's log that operators themselves want to hear of, by patterns in YAML.

Each pattern is proven by the samples beside it before it is used; one that is wrong is left out,
and said to be, and the others are used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes
from agent.host.complaints import form
from agent.host.complaints.form import Form, Written
from nodehealth.kit import settings
from nodehealth.kit.settings import SettingsError

SUFFIX: Final = "_patterns.yaml"
"""How the name of a file of patterns ends."""
MOST: Final = 64
"""How many patterns are looked for."""
PART: Final = "part"
"""The one group that a pattern may have: what it is about, such as a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own(Form):
    """One pattern that is good."""

    def read(self, text: str) -> str | None:
        """Return the part that a line is about, empty if it names none; None if it is another."""
        found = self.found(text)
        return None if found is None else found.groupdict().get(PART) or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """All that were found, and what was wrong with others."""

    good: tuple[Own, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words one of which is in every line that is wanted."""
        return form.words(self.good)


def below(folder: Path) -> Patterns:
    """Read all patterns of a folder; there are none where it is not."""
    try:
        names = attributes.names(folder) or ()
    except OSError as error:
        return Patterns(problems=(f"{folder}: expected a folder, {error.strerror}",))
    return read(folder / each for each in names if each.endswith(SUFFIX))


def read(files: Iterable[Path]) -> Patterns:
    """Read the patterns of some files; of two with one name the first is used."""
    good, problems = dict[str, Own](), list[str]()
    for file in files:
        try:
            written = form.listed(file)
        except SettingsError as wrong:
            problems.append(str(wrong))
            continue
        for at, each in enumerate(written):
            path = form.path(file, at)
            try:
                made = _proven(settings.read(Written, each, path), path)
                _room(made, good, path)
            except SettingsError as wrong:
                problems.append(str(wrong))
            else:
                good[made.name] = made
    return Patterns(good=tuple(good.values()), problems=tuple(problems))


def _room(made: Own, good: Mapping[str, Own], path: str) -> None:
    if made.name in good:
        raise SettingsError(f"{path}.name: another pattern is named {made.name} too")
    if len(good) >= MOST:
        raise SettingsError(f"{path}: expected at most {MOST} patterns, this is one more")


def _proven(written: Written, path: str) -> Own:
    """Return a pattern that does what its samples say, and can do no harm."""
    line = form.compiled(written, path)
    strange = sorted(set(line.groupindex) - {PART})
    if strange:
        raise SettingsError(f"{path}.line: expected no named group but {PART}, got {strange[0]}")
    own = Own(name=written.name, words=written.words, line=line)
    form.prove(own, written, path)
    return own
