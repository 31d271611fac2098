"""JSON as the API server reads and writes it: objects, timestamps, and ways into nested values."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as it was decoded; its shape is whatever the client sent."""

MICRO_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder()


def encode(value: object) -> bytes:
    """Write a value as compact JSON."""
    return _encoder.encode(value)


def decode(data: bytes) -> object:
    """Read any JSON value.

    Raises:
        ValueError: the bytes are not JSON.
    """
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as problem:
        raise ValueError(str(problem)) from problem


def load(data: bytes) -> JsonObject:
    """Read a JSON object that this server wrote itself."""
    value = _decoder.decode(data)
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, got {type(value).__name__}")
    return value


def clone(value: Any) -> Any:  # noqa: ANN401 - copies any JSON value and gives back the same type
    """Copy a JSON value all the way down."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def section(value: JsonObject, *path: str) -> JsonObject:
    """Return the object at a path; an empty one, not attached, where there is none."""
    for key in path:
        found = value.get(key)
        if not isinstance(found, dict):
            return {}
        value = found
    return value


def made(value: JsonObject, *path: str) -> JsonObject:
    """Return the object at a path, made where it is missing."""
    for key in path:
        found = value.get(key)
        if not isinstance(found, dict):
            found = {}
            value[key] = found
        value = found
    return value


def items(value: JsonObject, *path: str) -> list[JsonObject]:
    """Return the objects of the list at a path; none where there is no list."""
    found = section(value, *path[:-1]).get(path[-1])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: JsonObject, *path: str) -> str:
    """Return the scalar at a path as the text that selectors compare; empty where there is none."""
    found = section(value, *path[:-1]).get(path[-1])
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None or isinstance(found, dict | list) else str(found)


def condition(value: JsonObject, kind: str) -> JsonObject | None:
    """Return the status condition of a type."""
    found = (item for item in items(value, "status", "conditions") if item.get("type") == kind)
    return next(found, None)


def timestamp(at: datetime) -> str:
    """Write a metav1.Time: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(at: datetime) -> str:
    """Write a metav1.MicroTime: UTC, six fractional digits."""
    return at.astimezone(UTC).strftime(MICRO_FORMAT)


def instant(text: str) -> datetime:
    """Read a timestamp of either precision.

    Raises:
        ValueError: the text is no RFC 3339 timestamp with a zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or "T" not in text.upper():
        raise ValueError(f"expected an RFC 3339 timestamp with a zone, got {text!r}")
    return found.astimezone(UTC)


def later(text: str, seconds: float) -> str:
    """Move a timestamp by some seconds."""
    return timestamp(instant(text) + timedelta(seconds=seconds))


def joined(parts: Iterable[str]) -> str:
    """Join what is not empty with commas, as lists of names are printed."""
    return ",".join(part for part in parts if part)
