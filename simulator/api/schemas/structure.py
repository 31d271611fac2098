"""Pruning and defaulting: what a structural schema takes from an object and puts into it."""

from collections.abc import Iterator
from typing import Any, Final

from simulator.api import wire
from simulator.api.wire import JsonObject

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
FACE: Final = ("apiVersion", "kind", "metadata")


def prune(schema: JsonObject, value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Remove what the schema does not know, wherever it is; name what was removed."""
    if isinstance(value, list):
        keeps_all = bool(schema.get(PRESERVE)) and "items" not in schema
        items = schema if keeps_all else wire.section(schema, "items")
        for index, item in enumerate(value):
            yield from prune(items, item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key in list(value):
            place = f"{path}.{key}" if path else key
            inner = _inner(schema, key, top=not path)
            if inner is None:
                del value[key]
                yield place
            else:
                yield from prune(inner, value[key], place)


def _inner(schema: JsonObject, key: str, *, top: bool) -> JsonObject | None:
    """Return the schema of a property; None if the property is not known."""
    if (top or schema.get(EMBEDDED)) and key in FACE:
        return {PRESERVE: True}
    known = wire.section(schema, "properties").get(key)
    if isinstance(known, dict):
        return known
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        return others
    if others is True or schema.get(PRESERVE):
        return {PRESERVE: True}
    return None


def default(schema: JsonObject, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Put in what the schema gives where nothing is."""
    if isinstance(value, list):
        for item in value:
            default(wire.section(schema, "items"), item)
    elif isinstance(value, dict):
        for key, inner in wire.section(schema, "properties").items():
            if "default" in inner and _is_absent(inner, value, key):
                value[key] = wire.clone(inner["default"])
            default(inner, value.get(key))
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            for item in value.values():
                default(others, item)


def _is_absent(inner: JsonObject, value: JsonObject, key: str) -> bool:
    return key not in value or (value[key] is None and not inner.get("nullable"))
