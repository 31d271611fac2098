"""YAML that remembers its lines and refuses duplicate keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
import yaml

from nodehealth import quantities
from nodehealth.cel.errors import choices

T = TypeVar("T")

_AT: Final = re.compile(r" - at `(?:key in )?(?:`?)(\$[^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file: where it is, what was expected, what was found."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class ProblemsError(Exception):
    """All that is wrong with some files, at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class _Loader(yaml.CSafeLoader):
    """PyYAML's C loader; it would keep the last of two equal keys without a word."""


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

    def read(self, kind: type[T]) -> T:
        """Read the document as a type.

        Raises:
            ProblemsError: it has another shape; unknown keys come with the nearest valid one.
        """
        try:
            return msgspec.convert(self.value, kind, strict=True)
        except msgspec.ValidationError as wrong:
            found = _AT.search(str(wrong))
            where = found[1] if found else "$"
            message = _AT.sub("", str(wrong)) + _known(str(wrong), kind, where)
            raise ProblemsError((self.problem(where, message),)) from wrong


class Page:
    """A document and what was found wrong with it so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def wrong(self, where: str, message: str) -> None:
        """Note a problem and go on."""
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
        ProblemsError: the text is no YAML, is empty, or has a key twice.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ProblemsError((Problem(path=path, line=1, message="the file is empty"),))
        lines = dict(_lines(node, "$"))
        twice = tuple(_duplicates(path, node))
        if twice:
            raise ProblemsError(twice)
        return Document(path=path, value=loader.construct_document(node), lines=lines)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        message = f"no valid YAML: {wrong.problem}"
        raise ProblemsError((Problem(path=path, line=line, message=message),)) from wrong
    finally:
        loader.dispose()


def _lines(node: yaml.Node, where: str) -> Iterator[tuple[str, int]]:
    yield where, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{where}.{key.value}"
            yield from _lines(value, inner)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield from _lines(value, f"{where}[{n}]")


def _duplicates(path: str, node: yaml.Node) -> Iterator[Problem]:
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                yield Problem(path=path, line=line, message=f"the key {key.value} is there twice")
            seen.add(key.value)
            children = [*children, value]
    for child in children:
        yield from _duplicates(path, child)


def _known(message: str, kind: object, where: str) -> str:
    """Add the keys that would have been right to a message about an unknown one."""
    unknown = _UNKNOWN.search(message)
    names = _keys_at(kind, where) if unknown else ()
    return f"; {choices(unknown[1], names)}" if unknown and names else ""


def _keys_at(kind: object, where: str) -> tuple[str, ...]:
    """Walk a type along a path such as `$.spec.pools[0]` and name the keys it has there."""
    seen = msgspec.inspect.type_info(kind)
    for part in re.findall(r"\.([^.\[]+)|\[(?:\d+|\.\.\.)\]", where):
        seen = _inner(seen, part)
    while isinstance(seen, msgspec.inspect.Metadata):
        seen = seen.type
    if isinstance(seen, msgspec.inspect.UnionType):
        structs = [t for t in seen.types if isinstance(t, msgspec.inspect.StructType)]
        seen = structs[0] if structs else seen
    if isinstance(seen, msgspec.inspect.StructType):
        return tuple(field.encode_name for field in seen.fields)
    return ()


def _inner(seen: msgspec.inspect.Type, key: str) -> msgspec.inspect.Type:
    if isinstance(seen, msgspec.inspect.StructType):
        named = (field.type for field in seen.fields if field.encode_name == key)
        return next(named, msgspec.inspect.AnyType())
    if isinstance(seen, msgspec.inspect.VarTupleType):
        return seen.item_type
    return msgspec.inspect.AnyType()
