"""Which objects a client asked for: label and field selectors."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from simulator.api import status, wire
from simulator.api.wire import JsonObject

Test: TypeAlias = Callable[[Mapping[str, str]], bool]

_SET: Final = re.compile(r"\s*([^\s!=<>(),]+)\s+(in|notin)\s*\(([^()]*)\)\s*")
_COMPARED: Final = re.compile(r"\s*([^\s!=<>(),]+)\s*(==|=|!=|<|>)\s*([^\s!=<>(),]*)\s*")
_PRESENT: Final = re.compile(r"\s*(!?)\s*([^\s!=<>(),]+)\s*")


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of tests on names and values; without tests it takes everything."""

    tests: tuple[Test, ...] = ()

    def matches(self, values: Mapping[str, str]) -> bool:
        """Tell whether every test holds."""
        return all(test(values) for test in self.tests)


NOTHING: Final = Selector((lambda _values: False,))


def _among(key: str, allowed: Sequence[str]) -> Test:
    chosen = frozenset(allowed)
    return lambda values: values.get(key) in chosen


def _not_among(key: str, banned: Sequence[str]) -> Test:
    chosen = frozenset(banned)
    return lambda values: values.get(key) not in chosen


def _present(key: str) -> Test:
    return lambda values: key in values


def _absent(key: str) -> Test:
    return lambda values: key not in values


def _beyond(key: str, sign: str, limit: int) -> Test:
    def test(values: Mapping[str, str]) -> bool:
        number = values.get(key, "")
        if not number.lstrip("-").isdigit():
            return False
        return int(number) > limit if sign == ">" else int(number) < limit

    return test


def _compared(key: str, operator: str, value: str) -> Test:
    if operator in {"<", ">"}:
        if not value.lstrip("-").isdigit():
            raise status.bad_request(
                f"for 'Gt', 'Lt' operators, the value must be an integer: {value}"
            )
        return _beyond(key, operator, int(value))
    return _not_among(key, [value]) if operator == "!=" else _among(key, [value])


def _requirement(text: str, start: int) -> tuple[Test, int]:
    if found := _SET.match(text, start):
        values = [value.strip() for value in found[3].split(",")]
        build = _among if found[2] == "in" else _not_among
        return build(found[1], values), found.end()
    if found := _COMPARED.match(text, start):
        return _compared(found[1], found[2], found[3]), found.end()
    if found := _PRESENT.match(text, start):
        return (_absent if found[1] else _present)(found[2]), found.end()
    raise status.bad_request(f"unable to parse requirement: found '{text[start:]}'")


def labels(text: str) -> Selector:
    """Read a label selector such as `a=b,c in (d,e),!f`.

    Raises:
        simulator.api.status.StatusError: 400, it is none.
    """
    tests: list[Test] = []
    position = 0
    while position < len(text.rstrip()):
        test, position = _requirement(text, position)
        tests.append(test)
        if position < len(text) and text[position] != ",":
            raise status.bad_request(f"unable to parse requirement: found '{text[position:]}'")
        position += 1
    return Selector(tuple(tests))


def _expression(item: JsonObject) -> Test:
    key, values = str(item.get("key", "")), [str(value) for value in item.get("values") or ()]
    match item.get("operator"):
        case "In":
            return _among(key, values)
        case "NotIn":
            return _not_among(key, values)
        case "Exists":
            return _present(key)
        case "DoesNotExist":
            return _absent(key)
    return NOTHING.tests[0]


def of_object(selector: JsonObject | None) -> Selector:
    """Read a LabelSelector object: none selects nothing, an empty one selects everything."""
    if selector is None:
        return NOTHING
    equal = [
        _among(key, [str(value)]) for key, value in wire.section(selector, "matchLabels").items()
    ]
    return Selector(
        (*equal, *(_expression(item) for item in wire.items(selector, "matchExpressions")))
    )


def fields(text: str, known: Mapping[str, tuple[str, ...]], *, resource: str) -> Selector:
    """Read a field selector such as `spec.nodeName=n1,status.phase!=Running`.

    Raises:
        simulator.api.status.StatusError: 400, it is none or names a field that is not indexed.
    """
    tests: list[Test] = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part)
        if found is None:
            raise status.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if found[1] not in known:
            raise status.bad_request(
                f'Unable to find "{resource}" that match label selector "", field selector '
                f'"{text}": field label not supported: {found[1]}'
            )
        tests.append(_field(found[1], found[2], found[3]))
    return Selector(tuple(tests))


def _field(name: str, operator: str, value: str) -> Test:
    if operator == "!=":
        return lambda values: values.get(name, "") != value
    return lambda values: values.get(name, "") == value
