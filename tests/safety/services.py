"""A web service that repairs nodes: once for each key, however often it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from nodehealth import keys
from remediator.rules.policy import Hook
from simulator.cluster import Cluster
from simulator.records import LEDGERS
from tests.safety.witnesses.history import REPAIRS

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
        confused: Whether its first word is of the end, and about another machine.
    """

    cluster: Cluster
    ends: str
    mends: bool
    confused: bool = False
    asked: dict[str, int] = field(default_factory=dict)
    """How often, by key."""
    machines: set[str] = field(default_factory=set)

    async def answer(self, body: bytes) -> bytes:
        """Begin what was not begun, and say how far it is."""
        asked = msgspec.json.decode(body, type=dict[str, Any])
        key, target = asked["key"], asked["target"]
        if key not in self.asked:
            self._begin(target["node"], target["nodeUID"])
            self._hold_to_the_claim(asked["repair"], key)
        self.asked[key] = self.asked.get(key, 0) + 1
        if self.asked[key] == _LOOKS and self.mends:
            self.cluster.ailments.clear(target["node"])
        state, uid = self.ends if self.asked[key] >= _LOOKS else "going", target["nodeUID"]
        if self.confused and self.asked[key] == 1:
            state, uid = self.ends, "another-machine"
        return msgspec.json.encode({"version": "v1", "nodeUID": uid, "state": state})

    def _begin(self, node: str, uid: str) -> None:
        ledger = self.cluster.direct().find(LEDGERS, keys.LEDGER_NAME)
        if ledger is None or node not in ledger["status"].get("slots", {}):
            raise AssertionError(f"{node} is repaired without a slot")
        if uid in self.machines:
            raise AssertionError(f"{node} is repaired twice")
        self.machines.add(uid)

    def _hold_to_the_claim(self, name: str, key: str) -> None:
        repair = self.cluster.direct().find(REPAIRS, name)
        intent = repair["status"].get("intent") if repair is not None else None
        if not key or intent is None or intent["key"] != key:
            raise AssertionError(f"{name} is asked for under {key!r}, and says {intent}")


def service(
    ends: str, *, mends: bool = False, confused: bool = False
) -> Callable[[Cluster], Repairs]:
    """Return how to open a service whose repairs end so."""
    return lambda cluster: Repairs(cluster, ends, mends, confused)
