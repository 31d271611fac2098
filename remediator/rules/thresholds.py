"""Whether a `where` asks a level for values that it can take: on its grid and within its range."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nodehealth.cel import syntax
from nodehealth.signals import Signal, Unit

_VALUE: Final = "value"
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!=", "in"})
_BOUNDS: Final[Mapping[Unit, tuple[float, float]]] = {
    Unit.RATIO: (0.0, 1.0),
    Unit.BOOLEAN: (0.0, 1.0),
    Unit.CELSIUS: (-273.0, math.inf),
}
_AT_LEAST_NOTHING: Final = (0.0, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """`slope * value + offset`."""

    slope: float
    offset: float


def problems(tree: syntax.Expression, signal: Signal) -> Iterator[str]:
    """Say what is wrong with what an expression asks of a level."""
    named = {node.name for node in syntax.walk(tree) if isinstance(node, syntax.Name)}
    if not named & {_VALUE, *signal.fields}:
        yield f"asks nothing of {signal.name}; compare its value, as in `value > 0`"
    bound = {node.name for node in syntax.walk(tree) if isinstance(node, syntax.Quantified)}
    for node in syntax.walk(tree):
        if isinstance(node, syntax.Binary) and node.operator in _COMPARISONS and _asks(node):
            yield from _of_a_comparison(node, signal, bound)


def _of_a_comparison(node: syntax.Binary, signal: Signal, bound: set[str]) -> Iterator[str]:
    rights = node.right.items if isinstance(node.right, syntax.ListLiteral) else (node.right,)
    for right in rights:
        left_line, right_line = _line(node.left), _line(right)
        if left_line is not None and right_line is not None:
            yield from _of_a_threshold(_minus(left_line, right_line), signal)
        elif _hides(node.left, left_line, bound) or _hides(right, right_line, bound):
            yield (
                f"at column {node.column}: no way to tell which {_VALUE} is meant; "
                f"compare {_VALUE} itself with a number"
            )


def _of_a_threshold(line: _Line, signal: Signal) -> Iterator[str]:
    if line.slope == 0:
        yield f"the answer does not depend on {_VALUE}"
        return
    threshold = -line.offset / line.slope
    low, high = _BOUNDS.get(signal.unit, _AT_LEAST_NOTHING)
    if not low <= threshold <= high or math.isinf(threshold):
        limits = f"from {low:g} to {high:g}" if high < math.inf else f"never below {low:g}"
        yield f"{signal.name} is {limits}, got {threshold:g}"
    elif not signal.grid.holds(threshold):
        yield (
            f"{signal.name} only takes {signal.grid}, "
            f"got {threshold:g}; the nearest is {signal.grid.nearest(threshold):g}"
        )


def _asks(node: syntax.Expression) -> bool:
    return any(isinstance(each, syntax.Name) and each.name == _VALUE for each in syntax.walk(node))


def _hides(side: syntax.Expression, line: _Line | None, bound: set[str]) -> bool:
    """Say whether a side that is no line keeps the numbers from us that `value` is compared with.

    One that speaks of the signal's fields or of the node does not: their values are exact.
    """
    if line is not None:
        return False
    names = {each.name for each in syntax.walk(side) if isinstance(each, syntax.Name)}
    return bool(names & {_VALUE, *bound})


def _line(node: syntax.Expression) -> _Line | None:
    """Read an expression as a line over `value`; nothing if it is none."""
    match node:
        case syntax.Literal(value=number):
            return _constant(number)
        case syntax.Name(name=name) if name == _VALUE:
            return _Line(slope=1.0, offset=0.0)
        case syntax.Call(function="double", arguments=(operand,)):
            return _line(operand)
        case syntax.Unary(operator="-", operand=operand):
            return _scaled(_line(operand), -1.0)
        case syntax.Binary():
            return _joined(node.operator, _line(node.left), _line(node.right))
        case _:
            return None


def _constant(value: object) -> _Line | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _Line(slope=0.0, offset=float(value))


def _joined(operator: str, left: _Line | None, right: _Line | None) -> _Line | None:
    if left is None or right is None:
        return None
    match operator:
        case "+":
            return _minus(left, _Line(slope=-right.slope, offset=-right.offset))
        case "-":
            return _minus(left, right)
        case "*" if left.slope == 0 or right.slope == 0:
            constant, line = (left, right) if left.slope == 0 else (right, left)
            return _scaled(line, constant.offset)
        case "/" if right.slope == 0 and right.offset != 0:
            return _scaled(left, 1 / right.offset)
        case _:
            return None


def _minus(left: _Line, right: _Line) -> _Line:
    return _Line(slope=left.slope - right.slope, offset=left.offset - right.offset)


def _scaled(line: _Line | None, by: float) -> _Line | None:
    return line and _Line(slope=line.slope * by, offset=line.offset * by)
