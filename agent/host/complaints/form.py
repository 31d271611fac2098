"""One form of line of the kernel's log: the words and the expression that it is known by.

Forms are written down in YAML with lines that have them and lines that have not, and are proven by
these before they are used.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from agent.host.complaints import quick
from nodehealth import keys
from nodehealth.kit.settings import SettingsError

KIND: Final = "KernelPatterns"
_LARGEST: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SHORTEST_WORD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """It begins where the line does: who logs about trouble has none."""

    name: str
    words: tuple[str, ...]
    """One of them is in every such line."""
    line: re.Pattern[str]

    def found(self, text: str) -> re.Match[str] | None:
        """Return what the groups found in a line, if it has this form."""
        if not any(word in text for word in self.words):
            return None
        return self.line.match(text, 0, quick.LONGEST)


def words(forms: Iterable[Form]) -> tuple[str, ...]:
    """Return the words one of which is in every line of these forms."""
    return tuple(dict.fromkeys(word for each in forms for word in each.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A form as it is written down."""

    name: str
    words: tuple[str, ...]
    line: str
    says: tuple[str, ...]
    unsaid: tuple[str, ...]


def listed(file: Path) -> Sequence[object]:
    """Return the patterns of a file, not yet read.

    Raises:
        SettingsError: it holds none.
    """
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


def path(file: Path, at: int) -> str:
    """Return where a pattern of a file is, for who is told what is wrong with it."""
    return f"{file}.spec.patterns[{at}]"


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


def compiled(written: Written, path: str) -> re.Pattern[str]:
    """Return the expression of a form that can do no harm.

    Raises:
        SettingsError: it could, or is none, or how the form is called says nothing.
    """
    if not _NAME.fullmatch(written.name):
        expected = "expected lower-case letters, digits and dashes, 63 at most"
        raise SettingsError(f"{path}.name: {expected}, got {written.name!r}")
    short = [word for word in written.words if len(word) < _SHORTEST_WORD]
    if short or not written.words:
        expected = f"expected texts of {_SHORTEST_WORD} characters or more"
        raise SettingsError(f"{path}.words: {expected}, got {(short or ['none'])[0]!r}")
    return _quick(written.line, f"{path}.line")


def _quick(line: str, path: str) -> re.Pattern[str]:
    if not line.startswith("^"):
        raise SettingsError(f"{path}: expected ^, for a line is read from its start, got {line!r}")
    try:
        made, ways = re.compile(line), quick.ways(line)
    except (re.error, ValueError, OverflowError) as wrong:
        raise SettingsError(f"{path}: {wrong}, in {line!r}"[:512]) from wrong
    if ways > quick.MOST:
        how = f"bound what repeats, as in \\S{{1,32}}: {ways} ways to read a line are too many"
        raise SettingsError(f"{path}: expected a pattern of at most {quick.MOST}; {how}")
    return made


def prove(form: Form, written: Written, path: str) -> None:
    """Hold a form against its samples.

    Raises:
        SettingsError: says which of them it gets wrong.
    """
    for problem in _misread(form, written):
        raise SettingsError(f"{path}.{problem}")


def _misread(form: Form, written: Written) -> Iterator[str]:
    for name, samples in {"says": written.says, "unsaid": written.unsaid}.items():
        if not samples:
            yield f"{name}: expected at least one line as a sample, got none"
    if form.line.match("") is not None:
        yield "line: expected a pattern that an empty line has not"
    for at, each in enumerate(written.says):
        if form.found(each) is None:
            yield f"says[{at}]: expected a line with one of the words and the pattern, got {each!r}"
    for at, each in enumerate(written.unsaid):
        if form.found(each) is not None:
            yield f"unsaid[{at}]: expected a line that is another one, got {each!r}"
