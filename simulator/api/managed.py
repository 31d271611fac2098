"""Who owns which fields of an object: metadata.managedFields."""

from typing import Any, Final

from simulator.api import wire
from simulator.api.wire import JsonObject

_UNOWNED: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def track(
    old: JsonObject | None,
    new: JsonObject,
    *,
    manager: str,
    api_version: str,
    subresource: str,
    time: str,
) -> None:
    """Note in an object that a manager wrote what is different from before."""
    changed, removed = _difference(_owned(old or {}), _owned(new))
    entries = [entry for entry in wire.items(old or {}, "metadata", "managedFields") if entry]
    mine = {"manager": manager, "operation": "Update", "apiVersion": api_version}
    if subresource:
        mine["subresource"] = subresource
    if changed or removed:
        entries = _reassigned(entries, mine, changed, removed, time)
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def _reassigned(
    entries: list[JsonObject], mine: JsonObject, changed: JsonObject, removed: JsonObject, time: str
) -> list[JsonObject]:
    others, held = [], {}
    for entry in entries:
        left = _without(_without(entry.get("fieldsV1") or {}, removed), changed)
        if all(
            entry.get(key) == mine.get(key)
            for key in ("manager", "operation", "apiVersion", "subresource")
        ):
            held = left
        elif left:
            others.append({**entry, "fieldsV1": left})
    fields = _united(held, changed)
    if not fields:
        return others
    face = {key: mine[key] for key in ("manager", "operation", "apiVersion")}
    entry = {**face, "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields}
    return [*others, {**entry, **mine}]


def _owned(value: JsonObject) -> JsonObject:
    kept = {key: item for key, item in value.items() if key not in {"apiVersion", "kind"}}
    metadata = wire.section(value, "metadata")
    kept["metadata"] = {key: item for key, item in metadata.items() if key not in _UNOWNED}
    return kept


def _parts(value: object) -> JsonObject | None:
    """Take a value apart into owned fields; None if it is owned as a whole."""
    if isinstance(value, dict):
        return {f"f:{key}": item for key, item in value.items()}
    if isinstance(value, list) and value and all(_is_condition(item) for item in value):
        return {f'k:{{"type":"{item["type"]}"}}': item for item in value}
    return None


def _is_condition(value: object) -> bool:
    return isinstance(value, dict) and "type" in value and "status" in value


def _leaves(value: object) -> JsonObject:
    parts = _parts(value)
    return {key: _leaves(item) for key, item in parts.items()} if parts else {}


def _difference(old: object, new: object) -> tuple[JsonObject, JsonObject]:
    """Return the fields that are new or different, and those that are gone."""
    before, after = _parts(old) or {}, _parts(new) or {}
    changed: JsonObject = {}
    removed = {key: _leaves(item) for key, item in before.items() if key not in after}
    for key, item in after.items():
        if key not in before:
            changed[key] = _leaves(item)
        elif before[key] != item:
            _compare(before[key], item, key, changed, removed)
    return changed, removed


def _compare(old: object, new: object, key: str, changed: JsonObject, removed: JsonObject) -> None:
    if not _parts(old) or not _parts(new):
        changed[key] = _leaves(new)
        return
    more, less = _difference(old, new)
    if more:
        changed[key] = more
    if less:
        removed[key] = less


def _without(fields: JsonObject, gone: JsonObject) -> JsonObject:
    left: JsonObject = {}
    for key, inner in fields.items():
        if key not in gone:
            left[key] = inner
        elif inner and gone[key] and (rest := _without(inner, gone[key])):
            left[key] = rest
    return left


def _united(one: JsonObject, other: JsonObject) -> JsonObject:
    united: dict[str, Any] = dict(one)
    for key, inner in other.items():
        united[key] = _united(united.get(key, {}), inner)
    return united
