"""The types that an expression's values may have, and when two of them go together.

Their fields are positional, because that is how CEL writes them: `Map(STRING, INT)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias


class Scalar(StrEnum):
    """A type without parts, under the name that CEL gives it."""

    INT = "int"
    """A whole number of 64 bits with sign."""
    DOUBLE = "double"
    """A floating-point number; a Python int is taken for the nearest one."""
    BOOL = "bool"
    STRING = "string"
    NULL = "null"
    DYN = "dyn"
    """Known only when it is evaluated: may be compared, selected from and asked for, no more."""
    NOTHING = "nothing"
    """What an empty list holds; goes together with every type."""


@dataclass(frozen=True, slots=True)
class List:
    """A list or tuple whose items are all of one type."""

    of: "Type"

    def __str__(self) -> str:
        return f"list({self.of})"


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping from any strings to values of one type."""

    keys: Literal[Scalar.STRING]
    of: "Type"

    def __str__(self) -> str:
        return f"map({self.keys}, {self.of})"


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping whose keys are known beforehand; a key may be absent, and null counts as absent."""

    fields: "Mapping[str, Type]" = field(hash=False)

    def __str__(self) -> str:
        return "record"


Type: TypeAlias = Scalar | List | Map | Record

INT: Final = Scalar.INT
DOUBLE: Final = Scalar.DOUBLE
BOOL: Final = Scalar.BOOL
STRING: Final = Scalar.STRING
NULL: Final = Scalar.NULL
DYN: Final = Scalar.DYN
NOTHING: Final = Scalar.NOTHING


def join(left: Type, right: Type) -> Type | None:
    """Return the type of what is sometimes the one and sometimes the other, or None.

    Dyn joins with nothing else: implementations of CEL differ in what comes out.
    """
    if left == right or right is NOTHING:
        return left
    if left is NOTHING:
        return right
    if isinstance(left, List) and isinstance(right, List):
        of = join(left.of, right.of)
        return None if of is None else List(of)
    return None


def comparable(left: Type, right: Type) -> bool:
    """Say whether two values may be asked to be equal; with dyn it shows when it is evaluated."""
    if DYN in (left, right):
        return True
    if isinstance(left, List) and isinstance(right, List):
        return comparable(left.of, right.of)
    if isinstance(left, Map) and isinstance(right, Map):
        return comparable(left.of, right.of)
    return join(left, right) is not None
