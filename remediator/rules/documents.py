"""YAML that remembers its lines and refuses duplicate keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
import yaml

from nodehealth import quantities
from remediator.rules import shapes
from remediator.rules.shapes import Shape

T = TypeVar("T")

_DEEPEST: Final = 50
"""How deeply parts may be nested: far deeper than any rule, far shallower than the stack."""
_MOST: Final = 100_000
"""How many parts a document may have once its aliases are followed."""
_BITS: Final = 64
"""How long a whole number may be: the widest that every part takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file: where it is, what was expected, what was found."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class ProblemsError(Exception):
    """All that is wrong with some files, at once: file by file, from its first line to its last."""

    def __init__(self, found: tuple[Problem, ...]) -> None:
        paths = {each.path: n for n, each in reversed(tuple(enumerate(found)))}
        problems = tuple(sorted(found, key=lambda each: (paths[each.path], each.line)))
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class _Loader(yaml.CSafeLoader):
    """PyYAML's C loader; it would keep the last of two equal keys without a word."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Make a value of a node, or say at which line there is none, as for `2025-02-30`."""
        try:
            made = super().construct_object(node, deep)
        except (ValueError, OverflowError) as wrong:
            raise _unmade(node, str(wrong)) from wrong
        if isinstance(made, int) and made.bit_length() > _BITS:
            raise _unmade(node, f"a whole number has at most {_BITS} bits")
        return made


def _unmade(node: yaml.Node, fact: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, fact, node.start_mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document, as plain values, with the line of each of its parts."""

    path: str
    value: object
    lines: dict[str, int]

    def problem(self, where: str, message: str) -> Problem:
        """Say that something is wrong at a part such as `$.spec.when`."""
        said = f"{where[2:]}: {message}" if where != "$" else message
        return Problem(path=self.path, line=self.line(where), message=said)

    def line(self, where: str) -> int:
        """Find the line of a part, or of the nearest part around it."""
        while where not in self.lines and where != "$":
            where = where[: max(where.rfind("."), where.rfind("["))] or "$"
        return self.lines.get(where, 1)


class Page:
    """A document and what was found wrong with it so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._shape = Shape()

    def read(self, kind: type[T]) -> T:
        """Read the document as a type; what has another shape is noted and stood in for."""
        fitted, self._shape = shapes.fit(self.document.value, kind)
        for where, message in self._shape.problems:
            self.problems.append(self.document.problem(where, message))
        try:
            return msgspec.convert(fitted, kind)
        except msgspec.ValidationError as wrong:
            unfit = self.document.problem("$", str(wrong))
            raise ProblemsError((*self.problems, unfit)) from wrong

    def wrong(self, where: str, message: str) -> None:
        """Note a problem and go on, unless it is with what stands in for something else."""
        if not self._shape.is_doubtful(where):
            self.problems.append(self.document.problem(where, message))

    def duration(self, where: str, text: str) -> timedelta:
        """Read a duration, or note that it is none."""
        try:
            return quantities.duration(text)
        except ValueError as wrong:
            self.wrong(where, str(wrong))
            return timedelta()

    def done(self) -> None:
        """Raise all that was noted."""
        if self.problems:
            raise ProblemsError(tuple(self.problems))


def parse(path: str, text: str) -> Document:
    """Read one YAML document.

    Raises:
        ProblemsError: the text is no YAML, is empty, nested too deeply, or has a key twice.
    """
    loader = _Loader(text)
    try:
        _shallow(path, text)
        node = loader.get_single_node()
        if node is None:
            raise ProblemsError((Problem(path=path, line=1, message="the file is empty"),))
        lines = _counted(path, node)
        mistaken = tuple(_mistaken_keys(path, node))
        if mistaken:
            raise ProblemsError(mistaken)
        return Document(path=path, value=loader.construct_document(node), lines=lines)
    except yaml.YAMLError as wrong:
        mark = wrong.problem_mark if isinstance(wrong, yaml.MarkedYAMLError) else None
        fact = (
            wrong.problem
            if isinstance(wrong, yaml.MarkedYAMLError)
            else str(wrong).partition("\n")[0]
        )
        line, message = mark.line + 1 if mark else 1, f"no valid YAML: {fact}"
        raise ProblemsError((Problem(path=path, line=line, message=message),)) from wrong
    except RecursionError as wrong:
        message = "aliases stand within each other more deeply than can be read"
        raise ProblemsError((Problem(path=path, line=1, message=message),)) from wrong
    finally:
        loader.dispose()


def _shallow(path: str, text: str) -> None:
    """Refuse what is nested too deeply for the stack of those who read it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            message = f"expected at most {_DEEPEST} parts within each other, found more"
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ProblemsError((Problem(path=path, line=line, message=message),))


def _counted(path: str, node: yaml.Node) -> dict[str, int]:
    """Return the line of each part, unless aliases make more of a short text than can be read."""
    lines = {}
    for where, line in _lines(node, "$"):
        lines[where] = line
        if len(lines) > _MOST:
            message = f"expected at most {_MOST} parts, found that aliases make more"
            raise ProblemsError((Problem(path=path, line=1, message=message),))
    return lines


def _lines(node: yaml.Node, where: str, above: tuple[int, ...] = ()) -> Iterator[tuple[str, int]]:
    """Yield the line of a part and of all below it; an alias of what is above it ends there."""
    yield where, node.start_mark.line + 1
    if id(node) in above:
        return
    if len(above) > _DEEPEST:
        raise RecursionError  # long before Python itself does: each level costs all above it
    above = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{where}.{key.value}"
            yield from _lines(value, inner, above)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield from _lines(value, f"{where}[{n}]", above)


def _mistaken_keys(path: str, node: yaml.Node, above: tuple[int, ...] = ()) -> Iterator[Problem]:
    """Name keys that are there twice, and what is part of itself."""
    if id(node) in above:
        line = node.start_mark.line + 1
        yield Problem(path=path, line=line, message="an alias stands within what it stands for")
        return
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                yield Problem(path=path, line=line, message=f"the key {name} is there twice")
            seen.add(name)
            children = [*children, value]
    for child in children:
        yield from _mistaken_keys(path, child, (*above, id(node)))
