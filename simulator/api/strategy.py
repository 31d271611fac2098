"""The rules that every kind follows unless it has stricter ones."""

from collections.abc import Iterator

from simulator.api.calls import Call
from simulator.api.status import Cause
from simulator.api.wire import JsonObject
from simulator.api.world import World


class Strategy:
    """Adds nothing: plain stored objects."""

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Fill in and put right a new state before it is validated; no old one is a creation."""

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about a new state."""
        del world, call, new, old
        yield from ()


PLAIN = Strategy()
