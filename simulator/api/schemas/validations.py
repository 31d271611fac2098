"""The rules in CEL that a schema carries: x-kubernetes-validations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from nodehealth import cel
from simulator.api import wire
from simulator.api.schemas.structure import PRESERVE
from simulator.api.schemas.validation import INT_OR_STRING, LIST_KEYS, LIST_TYPE
from simulator.api.status import Cause
from simulator.api.wire import JsonObject

KEY: Final = "x-kubernetes-validations"
_ROOT: Final = "<nil>"
_METADATA: Final = cel.Record({"name": cel.STRING, "generateName": cel.STRING})
_FACE: Final[Mapping[str, cel.Type]] = {
    "apiVersion": cel.STRING,
    "kind": cel.STRING,
    "metadata": _METADATA,
}
_SCALARS: Final[Mapping[str, cel.Type]] = {
    "boolean": cel.BOOL,
    "integer": cel.INT,
    "number": cel.DOUBLE,
    "string": cel.STRING,
}

Check: TypeAlias = Callable[[Any, Any, str], Iterator[Cause]]
"""Complains about a new value, given the old one and where they are."""


class RuleError(ValueError):
    """A rule does not fit its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition on a value, and what is said when it does not hold."""

    holds: cel.Program
    message: str
    reason: str
    field: str
    transition: bool
    """Whether it compares with the old value, and is left out where there is none."""

    def check(self, new: object, old: object, path: str) -> Iterator[Cause]:
        """Complain if the rule does not hold."""
        if self.transition and old is None:
            return
        try:
            holds = self.holds({"self": new, "oldSelf": old} if self.transition else {"self": new})
            said = self.message
        except cel.EvaluationError as problem:
            holds, said = False, f"rule evaluation error: {problem}"
        if not holds:
            kind = "object" if isinstance(new, dict) else _kind(new)
            shown = "" if self.reason == "FieldValueForbidden" else f'Invalid value: "{kind}": '
            yield Cause(reason=self.reason, message=f"{shown}{said}", field=self._place(path))

    def _place(self, path: str) -> str:
        return (path + self.field).lstrip(".") or _ROOT


def _kind(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def compiled(schema: JsonObject) -> Check:
    """Make the rules of a schema, and of all that is in it, ready.

    Raises:
        RuleError: one does not fit; it says where and why.
    """
    return _ready(wire.encode(schema))


@lru_cache(maxsize=32)
def _ready(schema: bytes) -> Check:
    """Make the rules of a schema ready once, in however many clusters it is served."""
    return _compiled(wire.load(schema), "", root=True)


def _compiled(schema: JsonObject, path: str, *, root: bool = False) -> Check:
    rules = [_rule(rule, schema, path, root=root) for rule in schema.get(KEY, ())]
    fields = {
        key: _compiled(inner, f"{path}.{key}")
        for key, inner in wire.section(schema, "properties").items()
        if _has_rules(inner)
    }
    others, items = schema.get("additionalProperties"), schema.get("items")
    each = _compiled(others, f"{path}.*") if isinstance(others, dict) else None
    item = _compiled(items, f"{path}[*]") if isinstance(items, dict) else None
    keys = schema.get(LIST_KEYS, ()) if schema.get(LIST_TYPE) == "map" else ()

    def check(new: Any, old: Any, place: str) -> Iterator[Cause]:  # noqa: ANN401 - any JSON value
        if new is None:
            return
        for rule in rules:
            yield from rule.check(new, old, place)
        if isinstance(new, dict):
            before = old if isinstance(old, dict) else {}
            for key, value in new.items():
                inner = fields.get(key, each)
                if inner is not None:
                    below = f"{place}.{key}" if place else key
                    yield from inner(value, before.get(key), below)
        if isinstance(new, list) and item is not None:
            yield from _items(item, keys, new, old, place)

    return check


def _items(
    item: Check, keys: Sequence[str], new: list[Any], old: object, place: str
) -> Iterator[Cause]:
    known = old if isinstance(old, list) and keys else []
    before = {_identity(one, keys): one for one in known}
    for index, value in enumerate(new):
        found = before.get(_identity(value, keys)) if keys else None
        yield from item(value, found, f"{place}[{index}]")


def _identity(item: object, keys: Sequence[str]) -> bytes:
    return wire.encode([item.get(key) for key in keys] if isinstance(item, dict) else item)


def _has_rules(schema: object) -> bool:
    if not isinstance(schema, dict):
        return False
    if schema.get(KEY):
        return True
    inner = [*wire.section(schema, "properties").values(), schema.get("items")]
    return any(map(_has_rules, [*inner, schema.get("additionalProperties")]))


def _rule(rule: JsonObject, schema: JsonObject, path: str, *, root: bool) -> Rule:
    text = str(rule.get("rule", "")).strip()
    kind = type_of(schema, root=root)
    transition = "oldSelf" in text
    names = {"self": kind, "oldSelf": kind} if transition else {"self": kind}
    try:
        program = cel.compile(text, names)
    except cel.ExpressionError as problem:
        raise RuleError(f"{path.lstrip('.') or 'the object'}: {text}: {problem}") from problem
    return Rule(
        holds=program,
        message=str(rule.get("message") or f"failed rule: {text}"),
        reason=str(rule.get("reason") or "FieldValueInvalid"),
        field=str(rule.get("fieldPath") or ""),
        transition=transition,
    )


def type_of(schema: JsonObject, *, root: bool = False) -> cel.Type:
    """Return the type that values of a schema have in rules."""
    if schema.get(INT_OR_STRING) or schema.get("nullable"):
        return cel.DYN
    kind = schema.get("type")
    if kind == "array":
        return cel.List(type_of(wire.section(schema, "items")))
    if kind == "object":
        return _object(schema, root=root)
    return _SCALARS.get(str(kind), cel.DYN)


def _object(schema: JsonObject, *, root: bool) -> cel.Type:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        return cel.Map(cel.STRING, type_of(others))
    properties = wire.section(schema, "properties")
    if not properties and schema.get(PRESERVE):
        return cel.DYN
    fields = {key: type_of(inner) for key, inner in properties.items()}
    return cel.Record({**fields, **_FACE} if root else fields)
