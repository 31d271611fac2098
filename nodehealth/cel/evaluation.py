"""The closures that an expression becomes: each takes the variables' values and returns its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from nodehealth.cel.errors import EvaluationError
from nodehealth.cel.values import kind_of

Values: TypeAlias = Mapping[str, object]
Evaluate: TypeAlias = Callable[[Values], Any]


def constant(value: object) -> Evaluate:
    """Return the same value always."""
    return lambda _: value


def variable(name: str) -> Evaluate:
    """Return a variable's value; it is an error that there is none."""

    def evaluate(values: Values) -> object:
        try:
            return values[name]
        except KeyError:
            raise EvaluationError(f"{name} has no value") from None

    return evaluate


def unary(function: Callable[[Any], object], operand: Evaluate) -> Evaluate:
    """Apply a function of one argument."""
    return lambda values: function(operand(values))


def binary(function: Callable[[Any, Any], object], left: Evaluate, right: Evaluate) -> Evaluate:
    """Apply a function of two arguments."""
    return lambda values: function(left(values), right(values))


def items(parts: Sequence[Evaluate]) -> Evaluate:
    """Make a list of values."""
    return lambda values: tuple([part(values) for part in parts])


def choice(condition: Evaluate, yes: Evaluate, no: Evaluate) -> Evaluate:
    """Evaluate one of two branches and never the other."""
    return lambda values: yes(values) if condition(values) else no(values)


def connected(terms: Sequence[Evaluate], *, decisive: bool) -> Evaluate:
    """Look for a term with the decisive value: False for `&&`, True for `||`.

    An error in one term does not matter if another term decides.
    """

    def evaluate(values: Values) -> bool:
        failed = None
        for term in terms:
            try:
                found: object = term(values)
                if found is decisive:
                    return decisive
            except EvaluationError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not decisive

    return evaluate


def quantified(over: Evaluate, name: str, condition: Evaluate, *, decisive: bool) -> Evaluate:
    """Look for an item whose condition has the decisive value: False for `all`, True for `exists`.

    An error for one item does not matter if another item decides.
    """

    def evaluate(values: Values) -> bool:
        each: Iterable[object] = over(values)
        failed, scope = None, dict(values)
        for scope[name] in each:
            try:
                found: object = condition(scope)
                if found is decisive:
                    return decisive
            except EvaluationError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not decisive

    return evaluate


def key_of_map(operand: Evaluate, key: Evaluate, path: str) -> Evaluate:
    """Return what a map holds under a key."""

    def evaluate(values: Values) -> object:
        holder, wanted = operand(values), key(values)
        try:
            return holder[wanted]
        except KeyError:
            raise EvaluationError(f'{path} has no key "{wanted}"') from None

    return evaluate


def field_of_record(operand: Evaluate, field: str, path: str) -> Evaluate:
    """Return a record's field; null counts as absent."""

    def evaluate(values: Values) -> object:
        value = operand(values).get(field)
        if value is None:
            raise EvaluationError(f"{path} has no {field}")
        return value

    return evaluate


def item_of_list(operand: Evaluate, index: Evaluate, path: str) -> Evaluate:
    """Return the item at an index, counted from 0; there is nothing before the first."""

    def evaluate(values: Values) -> object:
        holder, wanted = operand(values), index(values)
        if not 0 <= wanted < len(holder):
            raise EvaluationError(f"{path} has {len(holder)} items and none at {wanted}")
        return holder[wanted]

    return evaluate


def has_key(operand: Evaluate, key: str) -> Evaluate:
    """Say whether a map has a key."""
    return lambda values: key in operand(values)


def has_field(operand: Evaluate, field: str) -> Evaluate:
    """Say whether a record's field is there and not null."""
    return lambda values: operand(values).get(field) is not None


def surely_map(operand: Evaluate, path: str) -> Evaluate:
    """Return a value that has turned out to be a map, or fail."""

    def evaluate(values: Values) -> Mapping[str, object]:
        holder: object = operand(values)
        if isinstance(holder, Mapping):
            return holder
        raise EvaluationError(f"{path} is {kind_of(holder)}, no map")

    return evaluate


def surely_list(operand: Evaluate, path: str) -> Evaluate:
    """Return a value that has turned out to be a list, or fail."""

    def evaluate(values: Values) -> Sequence[object]:
        holder: object = operand(values)
        if isinstance(holder, list | tuple):
            return holder
        raise EvaluationError(f"{path} is {kind_of(holder)}, no list")

    return evaluate
