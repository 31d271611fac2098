"""The JSONPath of printer columns: fields, indexes, wildcards, and filters on one field."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

Path: TypeAlias = Callable[[object], Sequence[object]]
"""Finds the values that a path leads to."""

_Step: TypeAlias = Callable[[Any], list[Any]]

_TOKEN: Final = re.compile(
    r"\.?(?P<wild>\*)|\.(?P<field>(?:\\.|[^.\[\\])+)"
    r"|\[(?P<index>-?\d+)\]|\[(?P<every>\*)\]|\[['\"](?P<quoted>[^'\"]+)['\"]\]"
    r"|\[\?\((?P<filter>(?:\"[^\"]*\"|'[^']*'|[^)])*)\)\]"
)
_FILTER: Final = re.compile(
    r"\s*@(?P<path>(?:\.[^\s=!<>]+))\s*(?P<operator>==|!=)\s*(?P<value>.+?)\s*"
)


class PathError(ValueError):
    """A text is no JSONPath that printer columns may have."""


@functools.cache
def parse(text: str) -> Path:
    """Read a path such as `.status.conditions[?(@.type=="Ready")].status`.

    Raises:
        PathError: it is none.
    """
    steps: list[_Step] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise PathError(f"{text}: expected .field, [index] or [?(filter)] at {position}")
        steps.append(_step(found))
        position = found.end()

    def path(value: object) -> Sequence[object]:
        values = [value]
        for step in steps:
            values = [inner for outer in values for inner in step(outer)]
        return values

    return path


def _step(found: re.Match[str]) -> _Step:
    if found["wild"] or found["every"]:
        return _every
    if found["index"]:
        return _index(int(found["index"]))
    if found["filter"] is not None:
        return _filter(found["filter"])
    return _field(re.sub(r"\\(.)", r"\1", found["field"] or "") or found["quoted"])


def _every(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _field(name: str) -> _Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _index(place: int) -> _Step:
    def step(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
        inside = isinstance(value, list) and -len(value) <= place < len(value)
        return [value[place]] if inside else []

    return step


def _filter(text: str) -> _Step:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise PathError(f'{text}: expected a filter such as @.type=="Ready"')
    path, wanted = parse(found["path"]), _literal(found["value"])
    equal = found["operator"] == "=="

    def step(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
        items = value if isinstance(value, list) else []
        return [item for item in items if (list(path(item)) == [wanted]) is equal]

    return step


def _literal(text: str) -> object:
    if text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.lstrip("-").isdigit() else text
