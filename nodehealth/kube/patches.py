"""The operations of a JSON patch: what must still hold, and what shall change if it does."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation; the server applies all of a patch or nothing."""

    op: Literal["test", "add", "replace", "remove"]
    path: str
    value: object | UnsetType = UNSET


def pointer(*parts: str | int) -> str:
    """Join the parts of a path, as in `pointer("metadata", "annotations", "nodemend.dev/slot")`."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)


def test(path: str, value: object) -> Operation:
    """Refuse the whole patch unless the path holds this value now."""
    return Operation(op="test", path=path, value=value)


test.__test__ = False  # type: ignore[attr-defined]  # pytest: this is no test


def add(path: str, value: object) -> Operation:
    """Set a key of a map, which may exist, or insert into a list (`/-` appends).

    The parent must exist: a map that is absent has to be added whole.
    """
    return Operation(op="add", path=path, value=value)


def replace(path: str, value: object) -> Operation:
    """Set what must exist already."""
    return Operation(op="replace", path=path, value=value)


def remove(path: str) -> Operation:
    """Remove what must exist."""
    return Operation(op="remove", path=path)
