"""Lines of the kernel's log that operators themselves want to hear of, by patterns in YAML.

Each pattern is proven by the samples beside it before it is used; one that is wrong is left out,
and said to be, and the others are used.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from agent.host import attributes
from agent.host.complaints import quick
from nodehealth import keys
from nodehealth.kit import settings
from nodehealth.kit.settings import SettingsError

SUFFIX: Final = "_patterns.yaml"
"""How the name of a file of patterns ends."""
KIND: Final = "KernelPatterns"
MOST: Final = 64
"""How many patterns are looked for."""
PART: Final = "part"
"""The one group that a pattern may have: what it is about, such as a device."""

_LARGEST: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SHORTEST_WORD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One pattern that is good."""

    name: str
    words: tuple[str, ...]
    line: re.Pattern[str]

    def read(self, text: str) -> str | None:
        """Return the part that a line is about, empty if it names none; None if it is another."""
        if not any(word in text for word in self.words):
            return None
        found = self.line.match(text, 0, quick.LONGEST)
        return None if found is None else found.groupdict().get(PART) or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """All that were found, and what was wrong with others."""

    good: tuple[Own, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words one of which is in every line that is wanted."""
        return tuple(dict.fromkeys(word for each in self.good for word in each.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A pattern as it is written down."""

    name: str
    words: tuple[str, ...]
    line: str
    says: tuple[str, ...]
    unsaid: tuple[str, ...]


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
            written = _listed(file)
        except SettingsError as wrong:
            problems.append(str(wrong))
            continue
        for at, each in enumerate(written):
            path = f"{file}.spec.patterns[{at}]"
            try:
                made = _proven(settings.read(_Written, each, path), path)
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


def _listed(file: Path) -> Sequence[object]:
    said = _parsed(file)
    if not isinstance(said, dict):
        raise SettingsError(f"{file}: expected kind: {KIND}, got {said!r}"[:256])
    for name, expected in {"apiVersion": keys.API_VERSION, "kind": KIND}.items():
        if said.get(name) != expected:
            raise SettingsError(f"{file}.{name}: expected {expected}, got {said.get(name)!r}")
    spec = said.get("spec")
    patterns = spec.get("patterns") if isinstance(spec, dict) else None
    unknown = sorted(map(str, set(said) - {"apiVersion", "kind", "spec"}))
    if unknown or not isinstance(patterns, list):
        fact = f"got {unknown[0]} too" if unknown else f"got {patterns!r}"
        raise SettingsError(f"{file}.spec.patterns: expected a list of patterns, {fact}"[:256])
    return patterns


def _parsed(file: Path) -> object:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise SettingsError(f"{file}: expected at most {_LARGEST} bytes")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise SettingsError(f"{file}: expected a file, {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{file}: expected YAML: {error}") from error


def _proven(written: _Written, path: str) -> Own:
    """Return a pattern that does what its samples say, and can do no harm."""
    if not _NAME.fullmatch(written.name):
        expected = "expected lower-case letters, digits and dashes, 63 at most"
        raise SettingsError(f"{path}.name: {expected}, got {written.name!r}")
    short = [word for word in written.words if len(word) < _SHORTEST_WORD]
    if short or not written.words:
        expected = f"expected texts of {_SHORTEST_WORD} characters or more"
        raise SettingsError(f"{path}.words: {expected}, got {(short or ['none'])[0]!r}")
    own = Own(name=written.name, words=written.words, line=_compiled(written.line, f"{path}.line"))
    for problem in _misread(own, written):
        raise SettingsError(f"{path}.{problem}")
    return own


def _compiled(line: str, path: str) -> re.Pattern[str]:
    if not line.startswith("^"):
        raise SettingsError(f"{path}: expected ^, for a line is read from its start, got {line!r}")
    try:
        compiled, ways = re.compile(line), quick.ways(line)
    except (re.error, ValueError, OverflowError) as wrong:
        raise SettingsError(f"{path}: {wrong}, in {line!r}"[:512]) from wrong
    if ways > quick.MOST:
        how = f"bound what repeats, as in \\S{{1,32}}: {ways} ways to read a line are too many"
        raise SettingsError(f"{path}: expected a pattern of at most {quick.MOST}; {how}")
    strange = sorted(set(compiled.groupindex) - {PART})
    if strange:
        raise SettingsError(f"{path}: expected no named group but {PART}, got {strange[0]}")
    return compiled


def _misread(own: Own, written: _Written) -> Iterator[str]:
    """Say what of its samples a pattern gets wrong."""
    for name, samples in {"says": written.says, "unsaid": written.unsaid}.items():
        if not samples:
            yield f"{name}: expected at least one line as a sample, got none"
    if own.line.match("") is not None:
        yield "line: expected a pattern that an empty line has not"
    for at, each in enumerate(written.says):
        if own.read(each) is None:
            yield f"says[{at}]: expected a line with one of the words and the pattern, got {each!r}"
    for at, each in enumerate(written.unsaid):
        if own.read(each) is not None:
            yield f"unsaid[{at}]: expected a line that is another one, got {each!r}"
