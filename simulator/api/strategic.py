"""Strategic merge patch: lists of named things are merged by name, other lists are replaced.

Taints are replaced whole, as the real server does; conditions are merged by their type.
"""

from collections.abc import Sequence
from typing import Any, Final

from simulator.api import wire
from simulator.api.wire import JsonObject

MERGE_KEYS: Final = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""The field by which items of a list are told apart, by the list's name."""

SETS: Final = frozenset({"finalizers", "podCIDRs"})
"""Lists of plain values that are united."""

_DIRECTIVE: Final = "$patch"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"
_RETAIN: Final = "$retainKeys"


class StrategicError(Exception):
    """A strategic merge patch does not fit the object."""


def merge(value: JsonObject, patch: JsonObject) -> JsonObject:
    """Apply a strategic merge patch.

    Raises:
        StrategicError: an item of a merged list lacks its name, or a directive is unknown.
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: _plain(item) for key, item in patch.items() if not key.startswith("$")}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise StrategicError(f"unrecognized directive: {directive}")
    merged = _retained(value, patch)
    for key, item in patch.items():
        if not key.startswith("$"):
            _merge_field(merged, patch, key, item)
        elif key.startswith(_DELETE):
            _delete_plain(merged, key.removeprefix(_DELETE), item)
        elif key.startswith(_ORDER) and key.removeprefix(_ORDER) not in patch:
            _reorder(merged, key.removeprefix(_ORDER), item)
    return merged


def _retained(value: JsonObject, patch: JsonObject) -> JsonObject:
    kept = patch.get(_RETAIN)
    if not isinstance(kept, list):
        return dict(value)
    return {key: item for key, item in value.items() if key in kept}


def _merge_field(merged: JsonObject, patch: JsonObject, key: str, item: object) -> None:
    held = merged.get(key)
    if item is None:
        merged.pop(key, None)
    elif isinstance(item, dict):
        _merge_object(merged, key, held if isinstance(held, dict) else {}, item)
    elif isinstance(item, list) and _merges(key, item, held):
        order = patch.get(_ORDER + key)
        merged[key] = _merge_list(key, held if isinstance(held, list) else [], item, order)
    elif isinstance(item, list) and key in SETS:
        known = held if isinstance(held, list) else []
        merged[key] = [*known, *(one for one in item if one not in known)]
    else:
        merged[key] = _plain(item)


def _merge_object(merged: JsonObject, key: str, held: JsonObject, item: JsonObject) -> None:
    if item.get(_DIRECTIVE) == "delete":
        merged.pop(key, None)
        return
    merged[key] = merge(held, item)


def _merges(key: str, item: list[Any], held: object) -> bool:
    if key == "ports":
        return all(isinstance(one, dict) for one in item)
    return key in MERGE_KEYS and (isinstance(held, list) or held is None)


def _name(key: str, items: Sequence[JsonObject]) -> str:
    if key != "ports":
        return MERGE_KEYS[key]
    return "containerPort" if any("containerPort" in one for one in items) else "port"


def _merge_list(
    key: str, held: list[JsonObject], patch: list[JsonObject], order: list[JsonObject] | None
) -> list[JsonObject]:
    if any(one.get(_DIRECTIVE) == "replace" for one in patch):
        return [_plain(one) for one in patch if _DIRECTIVE not in one]
    name = _name(key, [*held, *patch])
    merged = {one.get(name): one for one in held}
    for one in patch:
        if name not in one:
            raise StrategicError(f"map: {one} does not contain declared merge key: {name}")
        if one.get(_DIRECTIVE) == "delete":
            merged.pop(one[name], None)
        else:
            merged[one[name]] = merge(merged.get(one[name], {}), one)
    return _ordered(name, list(merged.values()), order or [])


def _reorder(merged: JsonObject, key: str, order: list[Any]) -> None:
    held = merged.get(key)
    if isinstance(held, list) and key in MERGE_KEYS:
        merged[key] = _ordered(_name(key, held), held, order)


def _ordered(name: str, items: list[JsonObject], order: Sequence[JsonObject]) -> list[JsonObject]:
    """Put named items in the order given; what is not named keeps its place."""
    places = {one.get(name): place for place, one in enumerate(order)}
    named = [one for one in items if one.get(name) in places]
    taken = iter(sorted(named, key=lambda one: places[one[name]]))
    return [next(taken) if one.get(name) in places else one for one in items]


def _delete_plain(merged: JsonObject, key: str, gone: list[Any]) -> None:
    held = merged.get(key)
    if isinstance(held, list):
        merged[key] = [one for one in held if one not in gone]


def _gone(item: object) -> bool:
    return isinstance(item, dict) and item.get(_DIRECTIVE) == "delete"


def _plain(item: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Take a value as new: without directives and nulls."""
    if isinstance(item, dict):
        return {
            key: _plain(one)
            for key, one in item.items()
            if one is not None and not key.startswith("$")
        }
    if isinstance(item, list):
        return [_plain(one) for one in item if not _gone(one)]
    return wire.clone(item)
