"""The tree of an expression, before anybody asks what it means."""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Any part of an expression; the column is where it, or its operator, stands in the text."""

    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Expression):
    """A value written out, such as `79` or `"ext4"`."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLiteral(Expression):
    """A list written out: `[48, 79]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Expression):
    """A variable: `code`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Expression):
    """A field of a record or a key of a map: `node.labels`."""

    operand: Expression
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Expression):
    """An item of a list or map: `labels["pool"]`."""

    operand: Expression
    key: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Expression):
    """`!` or `-` before an operand."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Expression):
    """Arithmetic, a comparison, or `in`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Expression):
    """Terms joined by `&&` or by `||`, flat, however many there are."""

    operator: str
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Expression):
    """`condition ? yes : no`."""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Has(Expression):
    """`has(a.b)`: whether the field is there."""

    field: Select


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantified(Expression):
    """`list.all(x, condition)` or `list.exists(x, condition)`."""

    quantifier: str
    over: Expression
    name: str
    condition: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expression):
    """`size(x)`, or `x.size()` with x as the first argument."""

    function: str
    arguments: tuple[Expression, ...]
    method: bool


def depth(root: Expression) -> int:
    """Count the levels of a tree, without recursion: this is asked before recursion is safe."""
    deepest, open_ = 0, [(root, 1)]
    while open_:
        node, level = open_.pop()
        deepest = max(deepest, level)
        open_.extend((child, level + 1) for child in _children(node))
    return deepest


def spelled(node: Expression) -> str:
    """Name a part of an expression in a message, as in `node.labels`."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select):
        return f"{spelled(node.operand)}.{node.field}"
    return "the value"


def walk(root: Expression) -> Iterator[Expression]:
    """Yield every part of a tree, the root first."""
    open_ = [root]
    while open_:
        node = open_.pop()
        yield node
        open_.extend(_children(node))


def _children(node: Expression) -> Iterator[Expression]:
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, tuple):
            yield from value
