"""Every way in which plain values miss the shape of a type, at once: where, and what was expected.

What does not fit is stood in for, so that everything else can still be looked at.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from msgspec import inspect

from nodehealth.cel.errors import choices

Plain: TypeAlias = Any
"""What YAML gives: mappings, lists, texts, numbers, booleans, nothing."""

Fitting: TypeAlias = Callable[[Plain, Any, str, "Shape"], Plain]
"""Makes a value fit a type at a place and notes where it did not."""

_SPOKEN: Final[Mapping[type[inspect.Type], str]] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "nothing",
    inspect.StructType: "a mapping",
    inspect.DictType: "a mapping",
    inspect.VarTupleType: "a list",
}
_PLAIN: Final[Mapping[type[inspect.Type], tuple[type, ...]]] = {
    inspect.StrType: (str,),
    inspect.EnumType: (str,),
    inspect.LiteralType: (str,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
    inspect.StructType: (dict,),
    inspect.DictType: (dict,),
    inspect.VarTupleType: (list,),
}


_NAMED: Final = 5
"""How many settings of a mapping a complaint names."""


@dataclass(slots=True, kw_only=True)
class Shape:
    """What was found while a value was held against a type."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    """Where and what, in the order of the value."""
    stand_ins: set[str] = field(default_factory=set)
    """Where something else stands than what was written: nobody should complain about it."""

    def wrong(self, where: str, message: str) -> None:
        """Note a problem."""
        self.problems.append((where, message))
        self.stand_ins.add(where)

    def is_doubtful(self, where: str) -> bool:
        """Say whether what seems to be at a place is not what was written there."""
        return any(
            where == each or where.startswith((f"{each}.", f"{each}[")) or where == _around(each)
            for each in self.stand_ins
        )


def fit(value: Plain, kind: type) -> tuple[Plain, Shape]:
    """Make a value fit a type, and say where it did not."""
    shape = Shape()
    return _fitted(value, inspect.type_info(kind), "$", shape), shape


def _fitted(value: Plain, kind: inspect.Type, where: str, shape: Shape) -> Plain:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.EnumType) and value is False:
        value = "off"  # what YAML reads into a bare `off`
    fitting = _FITTING.get(type(kind), _leaf)
    if not _is_sort_of(value, kind):
        fitting = _misfit
    return fitting(value, kind, where, shape)


def _is_sort_of(value: Plain, kind: inspect.Type) -> bool:
    """Say whether a value may be of a type, or of one of its members, going by its outside."""
    sorts = _PLAIN.get(type(kind))
    return sorts is None or type(value) in sorts


def _struct(
    value: dict[Plain, Plain], kind: inspect.StructType, where: str, shape: Shape
) -> dict[str, Plain]:
    fields = {each.encode_name: each for each in kind.fields}
    strangers = [str(name) for name in value if name not in fields]
    for name in strangers:
        shape.wrong(f"{where}.{name}", f"there is no such setting; {choices(name, fields)}")
    fitted = {}
    for name, each in fields.items():
        here = f"{where}.{name}"
        example = _example(each)
        if name in value and example and type(value[name]) in {int, float}:
            shape.wrong(here, f'expected text such as "{example}", got {_fact(value[name])}')
            fitted[name] = example
        elif name in value:
            fitted[name] = _fitted(value[name], each.type, here, shape)
        elif each.required:
            fitted[name] = _stand_in(each.type)
            shape.stand_ins.add(here)
            if not any(choices(other, [name]).endswith("?") for other in strangers):
                shape.wrong(here, f"expected {_spoken(each.type)}, got nothing")
    return fitted


def _example(field: inspect.Field) -> str:
    """Return what a text may be that begins with a number and says of what; else nothing."""
    default = field.default
    is_text = isinstance(field.type, inspect.StrType) and isinstance(default, str)
    return default if is_text and default[:1].isdigit() else ""


def _dict(
    value: dict[Plain, Plain], kind: inspect.DictType, where: str, shape: Shape
) -> dict[str, Plain]:
    for name in value:
        if not isinstance(name, str):
            shape.wrong(f"{where}.{name}", f"expected text, got {_fact(name)}; put it in quotes")
    return {
        str(name): _fitted(each, kind.value_type, f"{where}.{name}", shape)
        for name, each in value.items()
    }


def _list(value: list[Plain], kind: inspect.VarTupleType, where: str, shape: Shape) -> list[Plain]:
    least = kind.min_length or 0
    if len(value) < least:
        shape.wrong(where, f"expected at least {least}, got {len(value) or 'none'}")
        return [_stand_in(kind.item_type)] * least
    items = enumerate(value)
    return [_fitted(each, kind.item_type, f"{where}[{n}]", shape) for n, each in items]


def _union(value: Plain, kind: inspect.UnionType, where: str, shape: Shape) -> Plain:
    """Take the first member that fits, or else let the only one of the value's sort complain."""
    tried = []
    for member in kind.types:
        attempt = Shape()
        fitted = _fitted(value, member, where, attempt)
        if not attempt.problems:
            return fitted
        if _is_sort_of(value, member) and not isinstance(member, inspect.LiteralType):
            tried.append((fitted, attempt))
    if len(tried) != 1:
        return _misfit(value, kind, where, shape)
    ((fitted, attempt),) = tried
    shape.problems += attempt.problems
    shape.stand_ins |= attempt.stand_ins
    return fitted


def _leaf(value: Plain, kind: inspect.Type, where: str, shape: Shape) -> Plain:
    known = _known(kind)
    if known and value not in known:
        shape.wrong(where, f"there is no {value!r}; {choices(value, known)}")
        return _stand_in(kind)
    bounds = _bounds(value, kind)
    if bounds:
        shape.wrong(where, f"expected {bounds}, got {value!r}")
        return _stand_in(kind)
    return value


def _bounds(value: Plain, kind: inspect.Type) -> str:
    """Say what was expected of a text or number that is not within what its type allows."""
    if isinstance(kind, inspect.StrType):
        misses = kind.pattern is not None and not re.search(kind.pattern, value)
        return f"text that matches {kind.pattern}" if misses else ""
    if isinstance(kind, inspect.IntType):
        low, high = kind.ge, kind.le
        if low is not None and value < low:
            return f"at least {low}"
        return f"at most {high}" if high is not None and value > high else ""
    return "a finite number" if isinstance(value, float) and not math.isfinite(value) else ""


def _misfit(value: Plain, kind: inspect.Type, where: str, shape: Shape) -> Plain:
    hint = ""
    if isinstance(kind, inspect.StrType) and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
    shape.wrong(where, f"expected {_spoken(kind)}, got {_fact(value)}{hint}")
    return _stand_in(kind)


def _stand_in(kind: inspect.Type) -> Plain:
    """Return the plainest value that a type takes."""
    if isinstance(kind, inspect.Metadata):
        return _stand_in(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _stand_in(kind.types[0])
    if isinstance(kind, inspect.StructType):
        required = (each for each in kind.fields if each.required)
        return {each.encode_name: _stand_in(each.type) for each in required}
    return _plainest(kind)


def _plainest(kind: inspect.Type) -> Plain:
    known = _known(kind)
    if known:
        return known[0]
    if isinstance(kind, inspect.VarTupleType):
        return [_stand_in(kind.item_type)] * (kind.min_length or 0)
    if isinstance(kind, inspect.StrType) and kind.pattern is not None:
        return "x"
    if isinstance(kind, inspect.IntType):
        return kind.ge or 0
    return _PLAIN[type(kind)][0]()


def _known(kind: inspect.Type) -> tuple[str, ...]:
    if isinstance(kind, inspect.EnumType):
        return tuple(str(each.value) for each in kind.cls)
    return tuple(map(str, kind.values)) if isinstance(kind, inspect.LiteralType) else ()


def _spoken(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return _spoken(kind.type)
    if isinstance(kind, inspect.UnionType):
        members = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return " or ".join(dict.fromkeys(_spoken(each) + _of(each) for each in members))
    known = _known(kind)
    if known:
        return known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    return _SPOKEN.get(type(kind), "anything")


def _of(kind: inspect.Type) -> str:
    """Name the settings of a small mapping: somebody may have written one of them alone."""
    names = (
        [each.encode_name for each in kind.fields] if isinstance(kind, inspect.StructType) else []
    )
    return f" of {', '.join(names)}" if 0 < len(names) <= _NAMED else ""


def _fact(value: Plain) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int | float) else str(value)


def _around(where: str) -> str:
    return where[: max(where.rfind("."), where.rfind("["), 1)]


_FITTING: Final[Mapping[type[inspect.Type], Fitting]] = {
    inspect.UnionType: _union,
    inspect.StructType: _struct,
    inspect.DictType: _dict,
    inspect.VarTupleType: _list,
}
