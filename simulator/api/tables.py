"""Tables as kubectl prints them: columns of a kind, and one row of cells for each object."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from simulator.api import columns, jsonpath, layouts, wire
from simulator.api.columns import Layout
from simulator.api.kinds import Column, Kind
from simulator.api.wire import JsonObject
from simulator.api.world import World

Cells: TypeAlias = list[object]

_NAME: Final = Column(name="Name", path=".metadata.name", format="name", description="Name")
_AGE: Final = Column(name="Age", path=".metadata.creationTimestamp", type="date")


class Printer:
    """Prints objects of one kind."""

    def __init__(self, world: World, kind: Kind, now: datetime) -> None:
        self._layout = _layout(kind)
        self._context = columns.Context(world=world, now=now)

    def columns(self) -> list[JsonObject]:
        """Return the definitions of the columns."""
        return [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in self._layout.columns
        ]

    def cells(self, value: JsonObject) -> Cells:
        """Return the cells of an object's row."""
        return self._layout.cells(value, self._context)


def _layout(kind: Kind) -> Layout:
    if kind.custom is not None:
        return _of_columns((_NAME, *(kind.custom.columns or (_AGE,))))
    return layouts.LAYOUTS.get(kind.resource) or _of_columns((_NAME, _AGE))


def _of_columns(shown: Sequence[Column]) -> Layout:
    paths = [(column, jsonpath.parse(column.path)) for column in shown]

    def cells(value: JsonObject, context: columns.Context) -> Cells:
        return [_cell(column, path(value), context.now) for column, path in paths]

    return Layout(columns=tuple(shown), cells=cells)


def _cell(column: Column, found: Sequence[object], now: datetime) -> object:
    """Fill a cell with the first value that a path finds, as the real server does."""
    if not found or found[0] is None:
        return None
    return _CASTS.get(column.type, _text)(found[0], now)


def _text(value: object, _now: datetime) -> object:
    return value if isinstance(value, str) else wire.encode(value).decode()


def _integer(value: object, _now: datetime) -> object:
    return int(value) if isinstance(value, int | float) else None


def _number(value: object, _now: datetime) -> object:
    return float(value) if isinstance(value, int | float) else None


def _boolean(value: object, _now: datetime) -> object:
    return value if isinstance(value, bool) else None


def _date(value: object, now: datetime) -> object:
    return columns.age(str(value), now)


_CASTS: Final[Mapping[str, Callable[[object, datetime], object]]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
