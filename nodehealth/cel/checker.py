"""Gives every part of an expression its type, and with it the closure that evaluates it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nodehealth.cel import evaluation, functions, overloads, syntax
from nodehealth.cel.errors import ExpressionError, choices
from nodehealth.cel.evaluation import Evaluate
from nodehealth.cel.parser import KEYWORDS
from nodehealth.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NOTHING,
    NULL,
    STRING,
    List,
    Map,
    Record,
    Type,
    join,
)

MOST_QUANTIFIERS: Final = 2
"""How many may stand inside each other: the work is the product of the lists' sizes."""

_LITERALS: Final = {bool: BOOL, int: INT, float: DOUBLE, str: STRING, type(None): NULL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A part of an expression that is known to fit."""

    type: Type
    evaluate: Evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that may be used, and how many quantifiers stand around."""

    names: Mapping[str, Type]
    quantifiers: int = 0


@functools.singledispatch
def bind(node: syntax.Expression, scope: Scope) -> Bound:
    """Check one node and everything below it.

    Raises:
        ExpressionError: a name is unknown, or types do not fit.
    """
    # A kind of node that the parser makes and nobody here binds: no text of a user's does that.
    raise NotImplementedError(f"{type(node).__name__} in {scope}")


def bind_as(expected: Type, node: syntax.Expression, scope: Scope) -> Evaluate:
    """Check a node that must be of one type.

    Raises:
        ExpressionError: it is of another, or does not fit in itself.
    """
    bound = bind(node, scope)
    if expected is not DYN and (bound.type is DYN or join(expected, bound.type) != expected):
        raise ExpressionError(f"expected {expected}, found {bound.type}", node.column)
    return bound.evaluate


@bind.register
def _literal(node: syntax.Literal, _: Scope) -> Bound:
    return Bound(type=_LITERALS[type(node.value)], evaluate=evaluation.constant(node.value))


@bind.register
def _list(node: syntax.ListLiteral, scope: Scope) -> Bound:
    of: Type = NOTHING
    parts = [bind(item, scope) for item in node.items]
    for item, part in zip(node.items, parts, strict=True):
        joined = join(of, part.type)
        if joined is None:
            raise ExpressionError(f"a list of {of} cannot hold {part.type}", item.column)
        of = joined
    evaluate = evaluation.items([part.evaluate for part in parts])
    if all(isinstance(item, syntax.Literal) for item in node.items):
        evaluate = evaluation.constant(evaluate({}))
    return Bound(type=List(of), evaluate=evaluate)


@bind.register
def _name(node: syntax.Name, scope: Scope) -> Bound:
    if node.name not in scope.names:
        known = choices(node.name, scope.names, unlisted=KEYWORDS)
        raise ExpressionError(f'unknown name "{node.name}"; {known}', node.column)
    return Bound(type=scope.names[node.name], evaluate=evaluation.variable(node.name))


@bind.register
def _select(node: syntax.Select, scope: Scope) -> Bound:
    operand, path = bind(node.operand, scope), syntax.spelled(node.operand)
    if isinstance(operand.type, Record):
        evaluate = evaluation.field_of_record(operand.evaluate, node.field, path)
        return Bound(type=_field(node, operand.type), evaluate=evaluate)
    key = evaluation.constant(node.field)
    return _by_key(operand, key, node, path)


@bind.register
def _has(node: syntax.Has, scope: Scope) -> Bound:
    operand, path = bind(node.field.operand, scope), syntax.spelled(node.field.operand)
    if isinstance(operand.type, Record):
        _field(node.field, operand.type)
        return Bound(type=BOOL, evaluate=evaluation.has_field(operand.evaluate, node.field.field))
    _by_key(operand, evaluation.constant(node.field.field), node.field, path)
    holder = operand.evaluate
    if operand.type is DYN:
        holder = evaluation.surely_map(holder, path)
    return Bound(type=BOOL, evaluate=evaluation.has_key(holder, node.field.field))


@bind.register
def _index(node: syntax.Index, scope: Scope) -> Bound:
    operand, path = bind(node.operand, scope), syntax.spelled(node.operand)
    if isinstance(operand.type, Map):
        return _by_key(operand, bind_as(STRING, node.key, scope), node, path)
    if isinstance(operand.type, List):
        index = bind_as(INT, node.key, scope)
        evaluate = evaluation.item_of_list(operand.evaluate, index, path)
        return Bound(type=operand.type.of, evaluate=evaluate)
    if operand.type is not DYN:
        hint = f"; write {path}.name" if isinstance(operand.type, Record) else ""
        raise ExpressionError(f"{operand.type} has no items{hint}", node.column)
    key = bind(node.key, scope)
    if key.type is INT:
        holder = evaluation.surely_list(operand.evaluate, path)
        return Bound(type=DYN, evaluate=evaluation.item_of_list(holder, key.evaluate, path))
    return _by_key(operand, bind_as(STRING, node.key, scope), node, path)


@bind.register
def _unary(node: syntax.Unary, scope: Scope) -> Bound:
    operand = bind(node.operand, scope)
    overload = overloads.unary(node.operator, operand.type)
    if overload is None:
        raise ExpressionError(f"cannot apply {node.operator} to {operand.type}", node.column)
    found, function = overload
    return Bound(type=found, evaluate=evaluation.unary(function, operand.evaluate))


@bind.register
def _binary(node: syntax.Binary, scope: Scope) -> Bound:
    left, right = bind(node.left, scope), bind(node.right, scope)
    overload = overloads.binary(node.operator, left.type, right.type)
    if overload is None:
        why = overloads.refusal(node.operator, left.type, right.type)
        raise ExpressionError(why, node.column)
    found, function = overload
    return Bound(type=found, evaluate=evaluation.binary(function, left.evaluate, right.evaluate))


@bind.register
def _logic(node: syntax.Logic, scope: Scope) -> Bound:
    terms = [bind_as(BOOL, term, scope) for term in node.terms]
    return Bound(type=BOOL, evaluate=evaluation.connected(terms, decisive=node.operator == "||"))


@bind.register
def _choice(node: syntax.Choice, scope: Scope) -> Bound:
    condition = bind_as(BOOL, node.condition, scope)
    yes, no = bind(node.yes, scope), bind(node.no, scope)
    joined = join(yes.type, no.type)
    if joined is None:
        raise ExpressionError(f"cannot choose between {yes.type} and {no.type}", node.column)
    return Bound(type=joined, evaluate=evaluation.choice(condition, yes.evaluate, no.evaluate))


@bind.register
def _quantified(node: syntax.Quantified, scope: Scope) -> Bound:
    over = bind(node.over, scope)
    if not isinstance(over.type, List | Map):
        what = f"{node.quantifier}() looks through a list or map, found {over.type}"
        raise ExpressionError(what, node.column)
    if scope.quantifiers == MOST_QUANTIFIERS:
        what = f"more than {MOST_QUANTIFIERS} of all() and exists() inside each other"
        raise ExpressionError(what, node.column)
    item = over.type.of if isinstance(over.type, List) else STRING
    inner = Scope(names={**scope.names, node.name: item}, quantifiers=scope.quantifiers + 1)
    evaluate = evaluation.quantified(
        over.evaluate,
        node.name,
        bind_as(BOOL, node.condition, inner),
        decisive=node.quantifier == "exists",
    )
    return Bound(type=BOOL, evaluate=evaluate)


@bind.register
def _call(node: syntax.Call, scope: Scope) -> Bound:
    function = functions.find(node.function, method=node.method)
    if isinstance(function, str):
        raise ExpressionError(function, node.column)
    arguments = [bind(argument, scope) for argument in node.arguments]
    types = tuple(argument.type for argument in arguments)
    overload = functions.overload(node.function, function, types)
    if isinstance(overload, str):
        raise ExpressionError(overload, node.column)
    found, call = overload
    apply = evaluation.unary if len(arguments) == 1 else evaluation.binary
    return Bound(type=found, evaluate=apply(call, *[each.evaluate for each in arguments]))


def _field(node: syntax.Select, record: Record) -> Type:
    if node.field in record.fields:
        return record.fields[node.field]
    known = choices(node.field, record.fields)
    what = f'{syntax.spelled(node.operand)} has no field "{node.field}"; {known}'
    raise ExpressionError(what, node.column)


def _by_key(operand: Bound, key: Evaluate, node: syntax.Expression, path: str) -> Bound:
    """Look into a map, or into what may turn out to be one."""
    if isinstance(operand.type, Map):
        evaluate = evaluation.key_of_map(operand.evaluate, key, path)
        return Bound(type=operand.type.of, evaluate=evaluate)
    if operand.type is DYN:
        holder = evaluation.surely_map(operand.evaluate, path)
        return Bound(type=DYN, evaluate=evaluation.key_of_map(holder, key, path))
    raise ExpressionError(f"{operand.type} has no fields", node.column)
