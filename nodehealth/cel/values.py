"""What values mean: equality, order, and arithmetic that never wraps around."""

import math
from collections.abc import Callable, Mapping, Sequence

from nodehealth.cel.errors import EvaluationError
from nodehealth.cel.literals import LARGEST, SMALLEST


def equal(left: object, right: object) -> bool:
    """Compare two values of any types: numbers by value, lists and maps by their parts.

    Raises:
        EvaluationError: the values nest too deeply to compare.
    """
    try:
        return _equal(left, right)
    except RecursionError:
        raise EvaluationError("the values nest too deeply to compare") from None


def contains(item: object, items: Sequence[object]) -> bool:
    """Say whether an equal item is in a list."""
    return any(equal(item, each) for each in items)


def ordered(compare: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    """Make a comparison that looks at the types of its values first."""

    def checked(left: object, right: object) -> bool:
        for kind in (bool, str):
            if isinstance(left, kind) and isinstance(right, kind):
                return compare(left, right)
        if _numeric(left) and _numeric(right):
            return compare(*_alike(left, right))
        raise EvaluationError(f"cannot order {kind_of(left)} and {kind_of(right)}")

    return checked


def mixed(compare: Callable[[object, object], bool]) -> Callable[[float, float], bool]:
    """Make a comparison of an int with a double: both are taken as doubles."""
    return lambda left, right: compare(float(left), float(right))


def kind_of(value: object) -> str:
    """Name the type of a value in a message."""
    for kind, name in _KINDS.items():
        if isinstance(value, kind):
            return name
    return "null"


_KINDS: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    Mapping: "map",
    Sequence: "list",
}


def add(left: int, right: int) -> int:
    """Add two ints."""
    return _fitting(left + right)


def subtract(left: int, right: int) -> int:
    """Subtract two ints."""
    return _fitting(left - right)


def multiply(left: int, right: int) -> int:
    """Multiply two ints."""
    return _fitting(left * right)


def divide(left: int, right: int) -> int:
    """Divide two ints, rounding towards zero as CEL does and Python does not."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return _fitting(quotient if (left < 0) == (right < 0) else -quotient)


def remainder(left: int, right: int) -> int:
    """Return what division leaves; it has the sign of the left int."""
    if right == 0:
        raise EvaluationError("remainder of a division by zero")
    if left == SMALLEST and right == -1:
        raise EvaluationError("int overflow")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate(value: int) -> int:
    """Turn an int's sign."""
    return _fitting(-value)


def divide_doubles(left: float, right: float) -> float:
    """Divide two doubles; division by zero is infinite or no number, never an error."""
    left, right = float(left), float(right)
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def whole(value: float) -> int:
    """Cut off a double's fraction."""
    if not SMALLEST < value < LARGEST:
        raise EvaluationError("double does not fit into an int")
    return int(value)


def _fitting(value: int) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    raise EvaluationError("int overflow")


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if _numeric(left) and _numeric(right):
        alike = _alike(left, right)
        return alike[0] == alike[1]
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return len(left) == len(right) and all(
            key in right and _equal(value, right[key]) for key, value in left.items()
        )
    return _same_items(left, right)


def _same_items(left: object, right: object) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left is None and right is None


def _numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alike(left: object, right: object) -> tuple[object, object]:
    """Make doubles of two numbers unless both are ints."""
    if isinstance(left, float) and isinstance(right, int):
        return left, float(right)
    if isinstance(left, int) and isinstance(right, float):
        return float(left), right
    return left, right
