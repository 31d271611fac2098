"""From a mapping that a person wrote to a frozen dataclass, complaining precisely."""

import dataclasses
import re
import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from nodehealth import quantities

Settings = TypeVar("Settings")

_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])[A-Z]")

_EXPECTED: Final[Mapping[object, str]] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    timedelta: "a duration such as 5m",
    tuple: "a list",
    Mapping: "a mapping",
}


class SettingsError(Exception):
    """What an operator wrote is not what was expected there."""


def read(kind: type[Settings], written: object, path: str) -> Settings:
    """Make a dataclass of what was written; its fields are the settings that are known.

    Names are written with dashes, underscores or in camelCase, durations as in `5m`. Fields may be
    text, numbers, booleans, durations, enumerations, tuples, mappings from text, other such
    dataclasses, unions and None.

    Raises:
        SettingsError: says where, what was expected there, and what is there.
    """
    if written is None:
        written = {}
    if not isinstance(written, Mapping):
        raise _unexpected(path, "settings by name", written)
    hints = get_type_hints(kind)
    fields = {each.name: each for each in dataclasses.fields(kind) if each.init}  # type: ignore[arg-type]  # every kind is a dataclass
    given = {
        field: convert(hints[field], value, f"{path}.{name}")
        for field, (name, value) in _named(written, fields, path).items()
    }
    for name, each in fields.items():
        if name not in given and _is_required(each):
            expected = _spoken(hints[name])
            raise SettingsError(f"{path}.{name}: expected {expected}, got nothing")
    try:
        return kind(**given)
    except ValueError as refused:
        raise SettingsError(f"{path}: {refused}") from refused


def _named(
    written: Mapping[object, object], fields: Mapping[str, object], path: str
) -> Mapping[str, tuple[object, object]]:
    """Return what was written, as which name and which value, by the fields that are meant."""
    found: dict[str, tuple[object, object]] = {}
    for name, value in written.items():
        field = _CAPITAL.sub(lambda found: f"_{found[0].lower()}", str(name)).replace("-", "_")
        if field not in fields:
            raise SettingsError(f"{path}.{name}: unknown setting; {_known(fields)}")
        if field in found:
            raise SettingsError(f"{path}.{name}: this setting is there twice, spelt otherwise")
        found[field] = name, value
    return found


def convert(kind: Any, written: object, path: str) -> object:  # noqa: ANN401 - a type hint
    """Make what was written a value of a type, or raise SettingsError."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return read(kind, written, path)
    reader = _READERS.get(get_origin(kind) or kind)
    if reader is not None:
        return reader(kind, written, path)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enumerated(kind, written, path)
    raise TypeError(f"{path}: no way to read {kind!r} from what people write")


def _plain(kind: Any, written: object, path: str) -> object:  # noqa: ANN401 - a type hint
    whole_for_a_number = kind is float and type(written) is int
    if type(written) is not kind and not whole_for_a_number:
        raise _unexpected(path, _EXPECTED[kind], written)
    return kind(written)


def _duration(_: object, written: object, path: str) -> timedelta:
    try:
        return quantities.duration(str(written))
    except ValueError as garbage:
        raise _unexpected(path, _EXPECTED[timedelta], written) from garbage


def _tuple(kind: Any, written: object, path: str) -> tuple[object, ...]:  # noqa: ANN401 - a type hint
    of = get_args(kind)
    if not isinstance(written, list | tuple):
        raise _unexpected(path, _example(written), written)
    if of[-1] is Ellipsis:
        of = of[:1] * len(written)
    if len(of) != len(written):
        raise _unexpected(path, f"a list of {len(of)}", written)
    items = zip(of, written, strict=True)
    return tuple(convert(each, item, f"{path}[{at}]") for at, (each, item) in enumerate(items))


def _example(written: object) -> str:
    """Say how a list of one is written, to who left its brackets out."""
    return f"a list such as [{written}]" if isinstance(written, str | int) else "a list"


def _mapping(kind: Any, written: object, path: str) -> Mapping[str, object]:  # noqa: ANN401 - a type hint
    _, of = get_args(kind)
    if not isinstance(written, Mapping):
        raise _unexpected(path, "a mapping", written)
    return {str(name): convert(of, each, f"{path}.{name}") for name, each in written.items()}


def _union(kind: Any, written: object, path: str) -> object:  # noqa: ANN401 - a type hint
    """Take the first member that fits; with one member beside None, its own complaint is best."""
    members = [each for each in get_args(kind) if each is not types.NoneType]
    if written is None and len(members) < len(get_args(kind)):
        return None
    if len(members) == 1:
        return convert(members[0], written, path)
    for each in members:
        try:
            return convert(each, written, path)
        except SettingsError:
            continue
    raise _unexpected(path, _spoken(kind), written)


def _enumerated(kind: type[Enum], written: object, path: str) -> Enum:
    try:
        return kind(written)
    except ValueError as unknown:
        known = ", ".join(str(each.value) for each in kind)
        raise _unexpected(path, f"one of {known}", written) from unknown


_READERS: Final[Mapping[object, Callable[[Any, object, str], object]]] = {
    str: _plain,
    bool: _plain,
    int: _plain,
    float: _plain,
    timedelta: _duration,
    tuple: _tuple,
    Mapping: _mapping,
    dict: _mapping,
    Union: _union,
    types.UnionType: _union,
}


def _spoken(kind: Any) -> str:  # noqa: ANN401 - a type hint
    if get_origin(kind) in {Union, types.UnionType}:
        members = (each for each in get_args(kind) if each is not types.NoneType)
        return " or ".join(_spoken(each) for each in members)
    return _EXPECTED.get(get_origin(kind) or kind) or getattr(kind, "__name__", str(kind)).lower()


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _known(fields: Mapping[str, object]) -> str:
    return f"known are {', '.join(fields)}" if fields else "there are none"


def _unexpected(path: str, expected: str, written: object) -> SettingsError:
    return SettingsError(f"{path}: expected {expected}, got {written!r}"[:512])
