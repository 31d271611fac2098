"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386)."""

from collections.abc import Sequence
from typing import Any

from simulator.api import wire
from simulator.api.wire import JsonObject


class PatchError(Exception):
    """A patch cannot be applied: a test does not hold or a path leads nowhere."""


def merge(value: JsonObject, patch: JsonObject) -> JsonObject:
    """Apply a merge patch: objects are merged, null removes, everything else replaces."""
    merged = dict(value)
    for key, item in patch.items():
        if item is None:
            merged.pop(key, None)
        elif isinstance(item, dict):
            held = merged.get(key)
            merged[key] = merge(held if isinstance(held, dict) else {}, item)
        else:
            merged[key] = item
    return merged


def apply(value: JsonObject, operations: Sequence[JsonObject]) -> JsonObject:
    """Apply the operations of a JSON patch, all or none.

    Raises:
        PatchError: one of them cannot be applied.
    """
    root: JsonObject = {"": wire.clone(value)}
    for operation in operations:
        _operate(root, operation)
    patched = root[""]
    if not isinstance(patched, dict):
        raise PatchError("the patch leaves no object")
    return patched


def _operate(root: JsonObject, operation: JsonObject) -> None:
    path = _pointer(operation, "path")
    match operation.get("op"):
        case "add":
            _add(root, path, _value(operation))
        case "replace":
            _replace(root, path, _value(operation))
        case "remove":
            _remove(root, path)
        case "test":
            _test(root, path, operation.get("value"))
        case "copy":
            _add(root, path, wire.clone(_read(root, _pointer(operation, "from"))))
        case "move":
            source = _pointer(operation, "from")
            moved = _read(root, source)
            _remove(root, source)
            _add(root, path, moved)
        case unknown:
            raise PatchError(f"unexpected kind: {unknown}")


def _pointer(operation: JsonObject, name: str) -> list[str]:
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise PatchError(f"{name}: expected a JSON pointer, got {pointer!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _value(operation: JsonObject) -> object:
    if "value" not in operation:
        raise PatchError("missing value")
    return wire.clone(operation["value"])


def _index(part: str, length: int) -> int:
    if not part.isdigit() or (len(part) > 1 and part[0] == "0") or int(part) >= length:
        raise PatchError(f"index {part!r} is out of range")
    return int(part)


def _step(value: Any, part: str) -> Any:  # noqa: ANN401 - any JSON value leads to any other
    if isinstance(value, list):
        return value[_index(part, len(value))]
    if isinstance(value, dict) and part in value:
        return value[part]
    raise PatchError(f"missing path: {part!r}")


def _read(root: JsonObject, path: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    value: Any = root
    for part in path:
        value = _step(value, part)
    return value


def _add(root: JsonObject, path: Sequence[str], value: object) -> None:
    holder = _read(root, path[:-1])
    if isinstance(holder, list):
        place = len(holder) if path[-1] == "-" else _index(path[-1], len(holder) + 1)
        holder.insert(place, value)
    elif isinstance(holder, dict):
        holder[path[-1]] = value
    else:
        raise PatchError(f"missing path: {path[-1]!r}")


def _replace(root: JsonObject, path: Sequence[str], value: object) -> None:
    holder = _read(root, path[:-1])
    _step(holder, path[-1])
    holder[_index(path[-1], len(holder)) if isinstance(holder, list) else path[-1]] = value


def _remove(root: JsonObject, path: Sequence[str]) -> None:
    holder = _read(root, path[:-1])
    _step(holder, path[-1])
    del holder[_index(path[-1], len(holder)) if isinstance(holder, list) else path[-1]]


def _test(root: JsonObject, path: Sequence[str], expected: object) -> None:
    try:
        found = _read(root, path)
    except PatchError:
        if expected is not None:
            raise
        found = None
    if not _same(found, expected):
        raise PatchError(f"testing value /{'/'.join(path[1:])} failed")


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other
