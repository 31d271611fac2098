"""Taints that repel new pods from nodes that are cordoned or whose conditions are bad."""

from typing import Final

from nodehealth import keys
from simulator.api import wire
from simulator.api.controllers.controller import Controller
from simulator.api.direct import Direct
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.api.world import World

_EFFECT: Final = "NoSchedule"
_PREFIX: Final = "node.kubernetes.io"
_BY_CONDITION: Final = {
    ("Ready", "False"): f"{_PREFIX}/not-ready",
    ("Ready", "Unknown"): f"{_PREFIX}/unreachable",
    ("MemoryPressure", "True"): f"{_PREFIX}/memory-pressure",
    ("DiskPressure", "True"): f"{_PREFIX}/disk-pressure",
    ("PIDPressure", "True"): f"{_PREFIX}/pid-pressure",
    ("NetworkUnavailable", "True"): f"{_PREFIX}/network-unavailable",
}
_OURS: Final = frozenset({keys.UNSCHEDULABLE_TAINT, *_BY_CONDITION.values()})


class TaintController(Controller[str]):
    """Keeps the NoSchedule taints of nodes in step with their spec and conditions."""

    def __init__(self, world: World, direct: Direct) -> None:
        super().__init__()
        self._world = world
        self._direct = direct

    def notice(self, change: Change) -> None:
        """Look at every node that changed."""
        if change.resource == "nodes" and change.now is not None:
            self.queue(change.new.key)

    def sync(self, item: str) -> None:
        """Give a node the taints that it should have, and no others of ours."""
        node = self._world.find(self._world.kinds.named("nodes"), "", item)
        if node is None:
            return
        wanted, held = _wanted(node), wire.items(node, "spec", "taints")
        kept = [one for one in held if not _is_ours(one) or one["key"] in wanted]
        missing = wanted - {one["key"] for one in kept if _is_ours(one)}
        since = wire.timestamp(self._world.clock())
        added = [{"key": key, "effect": _EFFECT, "timeAdded": since} for key in sorted(missing)]
        if added or kept != held:
            version = node["metadata"]["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version}, "spec": {"taints": [*kept, *added]}}
            self._direct.merge("nodes", item, patch)


def _wanted(node: JsonObject) -> set[str]:
    conditions = wire.items(node, "status", "conditions")
    found = {_BY_CONDITION.get((one.get("type", ""), one.get("status", ""))) for one in conditions}
    if wire.section(node, "spec").get("unschedulable"):
        found.add(keys.UNSCHEDULABLE_TAINT)
    return {key for key in found if key is not None}


def _is_ours(taint: JsonObject) -> bool:
    return taint.get("effect") == _EFFECT and taint.get("key") in _OURS
