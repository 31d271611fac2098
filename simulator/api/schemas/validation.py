"""Whether an object fits a structural schema, and every way in which it does not."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from simulator.api import names, wire
from simulator.api.status import Cause
from simulator.api.wire import JsonObject

INT_OR_STRING: Final = "x-kubernetes-int-or-string"
LIST_TYPE: Final = "x-kubernetes-list-type"
LIST_KEYS: Final = "x-kubernetes-list-map-keys"


def _is_whole(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_whole,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def validate(schema: JsonObject, value: Any, path: str) -> Iterator[Cause]:  # noqa: ANN401 - any JSON value
    """Complain about a value and everything in it."""
    if value is None and schema.get("nullable"):
        return
    wrong = _type(schema, value, path)
    if wrong is not None:
        yield wrong
        return
    yield from _enum(schema, value, path)
    if isinstance(value, dict):
        yield from _object(schema, value, path)
    elif isinstance(value, list):
        yield from _list(schema, value, path)
    elif isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, int | float):
        yield from _number(schema, value, path)
    yield from _combined(schema, value, path)


def _invalid(path: str, value: object, rule: str) -> Cause:
    return names.bad_value(path, value, f"{path} in body {rule}")


def _type(schema: JsonObject, value: object, path: str) -> Cause | None:
    if schema.get(INT_OR_STRING):
        fits = isinstance(value, str) or _is_whole(value)
        return None if fits else _invalid(path, _shown(value), "must be of type integer or string")
    wanted = schema.get("type")
    if wanted is None or _TYPES[wanted](value):
        return None
    shown = _shown(value)
    return _invalid(path, shown, f'must be of type {wanted}: "{shown}"')


def _shown(value: object) -> str:
    """Say what a value of the wrong type is: its type, as the real messages do."""
    if value is None:
        return "null"
    if isinstance(value, float) and not value.is_integer():
        return "number"
    return next(name for name, fits in _TYPES.items() if fits(value))


def _enum(schema: JsonObject, value: object, path: str) -> Iterator[Cause]:
    known = schema.get("enum")
    if known is not None and value not in known:
        yield names.unsupported(path, value, tuple(str(one) for one in known))


def _object(schema: JsonObject, value: JsonObject, path: str) -> Iterator[Cause]:
    for key in schema.get("required", ()):
        if key not in value:
            yield names.required(_below(path, key))
    yield from _counts(schema, len(value), path, "Properties", "properties")
    known, others = wire.section(schema, "properties"), schema.get("additionalProperties")
    for key, item in value.items():
        inner = known.get(key, others)
        if isinstance(inner, dict):
            yield from validate(inner, item, _below(path, key))


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _counts(schema: JsonObject, count: int, path: str, what: str, spoken: str) -> Iterator[Cause]:
    most, least = schema.get(f"max{what}"), schema.get(f"min{what}")
    if most is not None and count > most:
        message = f"Too many: {count}: must have at most {most} items"
        yield Cause(reason="FieldValueTooMany", message=message, field=path)
    if least is not None and count < least:
        yield _invalid(path, count, f"should have at least {least} {spoken}")


def _list(schema: JsonObject, value: list[Any], path: str) -> Iterator[Cause]:
    yield from _counts(schema, len(value), path, "Items", "items")
    inner = schema.get("items")
    if isinstance(inner, dict):
        for place, item in enumerate(value):
            yield from validate(inner, item, f"{path}[{place}]")
    yield from _duplicates(schema, value, path)


def _duplicates(schema: JsonObject, value: list[Any], path: str) -> Iterator[Cause]:
    seen: set[bytes] = set()
    for place, item in enumerate(value):
        found = _identity(schema, item)
        if found is None:
            return
        mark = wire.encode(found)
        if mark in seen:
            yield names.duplicate(f"{path}[{place}]", found)
        seen.add(mark)


def _identity(schema: JsonObject, item: object) -> object | None:
    """Return what must be unique of a list's item; None if nothing must."""
    kind = schema.get(LIST_TYPE)
    if kind == "map" and isinstance(item, dict):
        return {key: item.get(key) for key in schema.get(LIST_KEYS, ())}
    return item if kind == "set" else None


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _string(schema: JsonObject, value: str, path: str) -> Iterator[Cause]:
    most, least, pattern = (schema.get(key) for key in ("maxLength", "minLength", "pattern"))
    if most is not None and len(value) > most:
        message = f"Too long: may not be more than {most} bytes"
        yield Cause(reason="FieldValueTooLong", message=message, field=path)
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"should be at least {least} chars long")
    if pattern is not None and _pattern(pattern).search(value) is None:
        yield _invalid(path, value, f"should match '{pattern}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        yield _invalid(path, value, f'must be of type date-time: "{value}"')


def _is_time(text: str) -> bool:
    try:
        wire.instant(text)
    except ValueError:
        return False
    return True


def _number(schema: JsonObject, value: float, path: str) -> Iterator[Cause]:
    if isinstance(value, bool):
        return
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None and (value > most or (schema.get("exclusiveMaximum") and value == most)):
        equal = "" if schema.get("exclusiveMaximum") else " or equal to"
        yield _invalid(path, value, f"should be less than{equal} {most}")
    if least is not None and (value < least or (schema.get("exclusiveMinimum") and value == least)):
        equal = "" if schema.get("exclusiveMinimum") else " or equal to"
        yield _invalid(path, value, f"should be greater than{equal} {least}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield _invalid(path, value, f"should be a multiple of {step}")


def _combined(schema: JsonObject, value: object, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf", ()):
        yield from validate(part, value, path)
    fits = [not any(validate(part, value, path)) for part in schema.get("anyOf", ())]
    if fits and not any(fits):
        yield _invalid(path, value, "must validate at least one schema (anyOf)")
    fits = [not any(validate(part, value, path)) for part in schema.get("oneOf", ())]
    if fits and sum(fits) != 1:
        yield _invalid(path, value, "must validate one and only one schema (oneOf)")
    banned = schema.get("not")
    if isinstance(banned, dict) and not any(validate(banned, value, path)):
        yield _invalid(path, value, "must not validate the schema (not)")
