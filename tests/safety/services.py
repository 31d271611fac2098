"""A web service that repairs nodes: once for each key, however often it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from nodehealth import keys
from remediator.rules.policy import Hook
from simulator.cluster import Cluster
from simulator.records import LEDGERS

HOOKS: Final = {"sre": Hook(url="https://sre.example/repair", secret_file="/hush")}
_LOOKS: Final = 3
"""As which answer it says how it ended."""


@dataclass(slots=True)
class Repairs:
    """What the service did, and how its repairs end.

    Fields:
        cluster: Where the nodes are that it repairs.
        ends: The state of a repair in the end.
        mends: Whether nothing ails the node then.
    """

    cluster: Cluster
    ends: str
    mends: bool
    asked: dict[str, int] = field(default_factory=dict)
    """How often, by key."""
    machines: set[str] = field(default_factory=set)

    async def answer(self, body: bytes) -> bytes:
        """Begin what was not begun, and say how far it is."""
        asked = msgspec.json.decode(body, type=dict[str, Any])
        key, target = asked["key"], asked["target"]
        if key not in self.asked:
            self._begin(target["node"], target["nodeUID"])
        self.asked[key] = self.asked.get(key, 0) + 1
        if self.asked[key] == _LOOKS and self.mends:
            self.cluster.ailments.clear(target["node"])
        state = self.ends if self.asked[key] >= _LOOKS else "going"
        return msgspec.json.encode({"version": "v1", "nodeUID": target["nodeUID"], "state": state})

    def _begin(self, node: str, uid: str) -> None:
        ledger = self.cluster.direct().find(LEDGERS, keys.LEDGER_NAME)
        if ledger is None or node not in ledger["status"].get("slots", {}):
            raise AssertionError(f"{node} is repaired without a slot")
        if uid in self.machines:
            raise AssertionError(f"{node} is repaired twice")
        self.machines.add(uid)


def service(ends: str, *, mends: bool = False) -> Callable[[Cluster], Repairs]:
    """Return how to open a service whose repairs end so."""
    return lambda cluster: Repairs(cluster, ends, mends)
