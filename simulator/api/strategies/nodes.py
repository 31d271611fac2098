"""Nodes: taints are told apart by key and effect, and a machine's identity never changes."""

from collections.abc import Iterator
from typing import Final

from simulator.api import names, wire
from simulator.api.calls import Call
from simulator.api.status import Cause
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_WRITTEN_ONCE: Final = ("providerID", "podCIDR")


class NodeStrategy(Strategy):
    """The rules of nodes."""

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Keep spec free of what is off, as the real server leaves it out."""
        del world, call, old
        spec = wire.made(new, "spec")
        if not spec.get("unschedulable"):
            spec.pop("unschedulable", None)
        if not spec.get("taints"):
            spec.pop("taints", None)

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about taints and about another machine under the same name."""
        del world, call
        yield from _taints(wire.items(new, "spec", "taints"))
        for field in _WRITTEN_ONCE:
            before, after = wire.text(old or {}, "spec", field), wire.text(new, "spec", field)
            if before and before != after:
                why = f'node updates may not change {field} except from "" to valid'
                yield names.not_ours(f"spec.{field}", why)


def _taints(taints: list[JsonObject]) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for place, taint in enumerate(taints):
        field = f"spec.taints[{place}]"
        key, effect = str(taint.get("key", "")), str(taint.get("effect", ""))
        yield from names.qualified(f"{field}.key", key)
        yield from names.label_value(f"{field}.value", taint.get("value", ""))
        if not effect:
            yield names.required(f"{field}.effect")
        elif effect not in _EFFECTS:
            yield names.unsupported(f"{field}.effect", effect, _EFFECTS)
        if (key, effect) in seen:
            yield names.duplicate(field, taint)
        seen.add((key, effect))
