"""Which function an operator stands for, given the types of its operands."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from nodehealth.cel import values
from nodehealth.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    List,
    Map,
    Type,
    comparable,
    join,
)

Overload: TypeAlias = tuple[Type, Callable[..., object]]
"""The type of the result, and the function that makes it."""

_Compare: TypeAlias = Callable[[Any, Any], bool]

_UNARY: Final[Mapping[tuple[str, Type], Callable[..., object]]] = {
    ("!", BOOL): operator.not_,
    ("-", INT): values.negate,
    ("-", DOUBLE): lambda value: -float(value),
}
_ARITHMETIC: Final[Mapping[tuple[str, Type], Callable[..., object]]] = {
    ("+", INT): values.add,
    ("-", INT): values.subtract,
    ("*", INT): values.multiply,
    ("/", INT): values.divide,
    ("%", INT): values.remainder,
    ("+", DOUBLE): lambda left, right: float(left) + float(right),
    ("-", DOUBLE): lambda left, right: float(left) - float(right),
    ("*", DOUBLE): lambda left, right: float(left) * float(right),
    ("/", DOUBLE): values.divide_doubles,
    ("+", STRING): operator.add,
}
_ORDER: Final[Mapping[str, _Compare]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED: Final = frozenset({INT, DOUBLE, STRING, BOOL})
_PLAIN: Final = frozenset({INT, STRING, BOOL, NULL})
"""What Python compares as CEL does; a double is not, inside a list: NaN equals nothing."""

_CANNOT: Final = {
    "==": "compare {0} with {1}",
    "!=": "compare {0} with {1}",
    "in": "look for {0} in {1}",
    "+": "add {0} and {1}",
    "-": "subtract {1} from {0}",
    "*": "multiply {0} and {1}",
    "/": "divide {0} by {1}",
    "%": "take the remainder of {0} by {1}",
}


def unary(symbol: str, operand: Type) -> Overload | None:
    """Find the function for an operator before an operand."""
    function = _UNARY.get((symbol, operand)) if operand in _ORDERED else None
    return None if function is None else (operand, function)


def binary(symbol: str, left: Type, right: Type) -> Overload | None:
    """Find the function for an operator between two operands."""
    if symbol in {"==", "!="}:
        return _equality(symbol, left, right)
    if symbol in _ORDER:
        return _order(_ORDER[symbol], left, right)
    if symbol == "in":
        return _membership(left, right)
    if left != right or left not in {INT, DOUBLE, STRING}:
        return None
    function = _ARITHMETIC.get((symbol, left))
    return None if function is None else (left, function)


def refusal(symbol: str, left: Type, right: Type) -> str:
    """Say what cannot be done with two types, and what to write instead."""
    action = _CANNOT.get(symbol, "order {0} and {1}").format(left, right)
    hint = "; write 79.0 for 79, or double(x) for x" if {left, right} == {INT, DOUBLE} else ""
    return f"cannot {action}{hint}"


def _equality(symbol: str, left: Type, right: Type) -> Overload | None:
    if not comparable(left, right):
        return None
    joined = join(left, right)
    if joined in _PLAIN or joined is DOUBLE:
        return BOOL, operator.eq if symbol == "==" else operator.ne
    if symbol == "==":
        return BOOL, values.equal
    return BOOL, lambda left, right: not values.equal(left, right)


def _order(compare: _Compare, left: Type, right: Type) -> Overload | None:
    if left == right and left in _ORDERED:
        return BOOL, compare
    if {left, right} == {INT, DOUBLE}:
        return BOOL, values.mixed(compare)
    if DYN in {left, right} and {left, right} <= _ORDERED | {DYN}:
        return BOOL, values.ordered(compare)
    return None


def _membership(item: Type, container: Type) -> Overload | None:
    if isinstance(container, Map):
        return (BOOL, _within) if item is STRING else None
    if not isinstance(container, List) or not comparable(item, container.of):
        return None
    return BOOL, _within if join(item, container.of) in _PLAIN else values.contains


def _within(item: object, container: Any) -> bool:  # noqa: ANN401 (a list or a map, checked before)
    return item in container
