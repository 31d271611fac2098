"""The functions that an expression may call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nodehealth.cel import values
from nodehealth.cel.errors import choices
from nodehealth.cel.overloads import Overload
from nodehealth.cel.types import BOOL, DOUBLE, INT, List, Map, Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function: how it is written and what it takes, by the shapes of its arguments."""

    example: str
    overloads: Mapping[tuple[str, ...], Overload]
    method: bool = False
    """Whether it may be written after its first argument, as in `x.size()`."""
    plain: bool = True
    """Whether it may be written before its arguments, as in `size(x)`."""


def _on_strings(name: str, function: Callable[[str, str], bool]) -> Function:
    return Function(
        example=f'name.{name}("x")',
        overloads={("string", "string"): (BOOL, function)},
        method=True,
        plain=False,
    )


_FUNCTIONS: Final = {
    "size": Function(
        example="size(slots)",
        overloads={(shape,): (INT, len) for shape in ("string", "list", "map")},
        method=True,
    ),
    "double": Function(
        example="double(count)",
        overloads={("int",): (DOUBLE, float), ("double",): (DOUBLE, float)},
    ),
    "int": Function(
        example="int(value)",
        overloads={("int",): (INT, int), ("double",): (INT, values.whole)},
    ),
    "startsWith": _on_strings("startsWith", str.startswith),
    "endsWith": _on_strings("endsWith", str.endswith),
    "contains": _on_strings("contains", str.__contains__),
}
_MACROS: Final = ("all", "exists", "has")


def find(name: str, *, method: bool) -> Function | str:
    """Return the function of a name, or what is wrong with calling it so."""
    function = _FUNCTIONS.get(name)
    if function is None:
        return f'unknown function "{name}"; {choices(name, (*_FUNCTIONS, *_MACROS))}'
    if not (function.method if method else function.plain):
        return f"{name} is written as in {function.example}"
    return function


def overload(name: str, function: Function, arguments: tuple[Type, ...]) -> Overload | str:
    """Return what a function does with arguments of these types, or why it does not take them."""
    found = function.overloads.get(tuple(map(_shape, arguments)))
    if found is not None:
        return found
    accepted = " or ".join(" and ".join(shapes) for shapes in function.overloads)
    given = ", ".join(map(str, arguments)) or "nothing"
    return f"{name} takes {accepted}, as in {function.example}; found {given}"


def _shape(given: Type) -> str:
    if isinstance(given, List):
        return "list"
    return "map" if isinstance(given, Map) else str(given)
