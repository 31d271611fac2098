"""What a printed table is made of: columns, cells, and ages in the server's short words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from simulator.api import wire
from simulator.api.kinds import Column
from simulator.api.wire import JsonObject
from simulator.api.world import World

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a row is printed with beside its object."""

    world: World
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a kind, and what stands in them."""

    columns: tuple[Column, ...]
    cells: Callable[[JsonObject, Context], list[object]]


def age(time: str, now: datetime) -> str:
    """Say how long ago something was, in the server's short words."""
    if not time:
        return "<unknown>"
    try:
        return spoken(int((now - wire.instant(time)).total_seconds()))
    except ValueError:
        return "<invalid>"


def spoken(seconds: int) -> str:
    """Say a duration as the server does: two units where the smaller one still matters."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    steps = (
        (2 * _MINUTE, _two(seconds, 1, "s", 0, "")),
        (10 * _MINUTE, _two(seconds, _MINUTE, "m", 1, "s")),
        (3 * _HOUR, _two(seconds, _MINUTE, "m", 0, "")),
        (8 * _HOUR, _two(seconds, _HOUR, "h", _MINUTE, "m")),
        (2 * _DAY, _two(seconds, _HOUR, "h", 0, "")),
        (8 * _DAY, _two(seconds, _DAY, "d", _HOUR, "h")),
        (2 * _YEAR, _two(seconds, _DAY, "d", 0, "")),
        (8 * _YEAR, _two(seconds, _YEAR, "y", _DAY, "d")),
    )
    return next((said for limit, said in steps if seconds < limit), f"{seconds // _YEAR}y")


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    count, rest = divmod(seconds, large)
    more = rest // small if small else 0
    return f"{count}{large_unit}" + (f"{more}{small_unit}" if more else "")


Fill: TypeAlias = Callable[[JsonObject, Context], object]
"""Says what stands in a cell."""


def column(
    name: str, fill: Fill, *, kind: str = "string", form: str = "", priority: int = 0
) -> tuple[Column, Fill]:
    """Describe a column and how it is filled."""
    return Column(name=name, path="", type=kind, format=form, priority=priority), fill


def layout(*parts: tuple[Column, Fill]) -> Layout:
    """Put columns side by side."""
    fills = [fill for _, fill in parts]
    return Layout(
        columns=tuple(shown for shown, _ in parts),
        cells=lambda value, context: [fill(value, context) for fill in fills],
    )


def at(*path: str, missing: str = "") -> Fill:
    """Fill a cell with the text at a path."""
    return lambda value, _context: wire.text(value, *path) or missing


def number(*path: str) -> Fill:
    """Fill a cell with the number at a path."""
    return lambda value, _context: wire.section(value, *path[:-1]).get(path[-1]) or 0


def since(*path: str) -> Fill:
    """Fill a cell with how long ago the time at a path was."""
    return lambda value, context: age(wire.text(value, *path), context.now)


NAME: Final = column("Name", at("metadata", "name"), form="name")
AGE: Final = column("Age", since("metadata", "creationTimestamp"))
CREATED: Final = column("Created At", at("metadata", "creationTimestamp"))
