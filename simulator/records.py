"""The simulated world's own way to the API's objects: no request, no wait, no entry in the audit.

Kubelets and controllers of a real cluster are clients like any other. Here they write what they
would write straight into the store, so that thousands of them cost little; watches, hooks and
history see no difference. What people and nodemend do goes through the API.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from simulator.api import deletion, wire
from simulator.api.calls import CONTROLLERS, Call
from simulator.api.deletion import Options
from simulator.api.kinds import Generation, Kind
from simulator.api.wire import JsonObject
from simulator.api.world import World

NODES: Final = "nodes"
PODS: Final = "pods"
LEASES: Final = "leases.coordination.k8s.io"
BUDGETS: Final = "poddisruptionbudgets.policy"
DEPLOYMENTS: Final = "deployments.apps"
REPLICA_SETS: Final = "replicasets.apps"
STATEFUL_SETS: Final = "statefulsets.apps"
DAEMON_SETS: Final = "daemonsets.apps"
JOBS: Final = "jobs.batch"
NAMESPACES: Final = "namespaces"
SERVICE_ACCOUNTS: Final = "serviceaccounts"
MACHINES: Final = "machines.simulator.nodemend.dev"
NODE_HEALTHS: Final = "nodehealths.nodemend.dev"
LEDGERS: Final = "repairledgers.nodemend.dev"

Change: TypeAlias = Callable[[JsonObject], object]
"""Changes an object in place; what it returns is of no interest."""


class Records:
    """Reads and writes objects as the parts of the control plane and the kubelets do."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, resource: str, name: str, namespace: str = "") -> JsonObject | None:
        """Return an object, if it is there."""
        return self.world.find(self._kind(resource), namespace, name)

    def each(self, resource: str) -> Iterator[JsonObject]:
        """Yield all objects of a kind, in the order of their names."""
        shelf = self.world.store.shelf(self._kind(resource))
        for key in tuple(shelf.keys):
            yield wire.load(shelf.entries[key].body)

    def insert(self, resource: str, value: JsonObject) -> JsonObject:
        """Keep a new object that is complete, as the API server's defaults would have made it."""
        kind, metadata = self._kind(resource), value["metadata"]
        metadata.setdefault("uid", self.world.uid())
        metadata.setdefault("creationTimestamp", wire.timestamp(self.world.clock()))
        if kind.generation is not Generation.NEVER:
            metadata["generation"] = 1
        key = kind.key(metadata.get("namespace", ""), metadata["name"])
        self.world.store.put(kind, key, value)
        return value

    def fresh_name(self, resource: str, namespace: str, prefix: str) -> str:
        """Return a name that begins like this and is not taken."""
        while True:
            name = f"{prefix}{self.world.suffix()}"
            if self.get(resource, name, namespace) is None:
                return name

    def change(
        self, resource: str, name: str, change: Change, *, namespace: str = "", uid: str = ""
    ) -> JsonObject | None:
        """Change an object if it is there, and of this UID where one is given; return it as it is.

        An object that only waited for its last finalizer goes with it.
        """
        kind = self._kind(resource)
        key = kind.key(namespace, name)
        entry = self.world.store.get(kind, key)
        if entry is None:
            return None
        old, new = wire.load(entry.body), wire.load(entry.body)
        if uid and old["metadata"]["uid"] != uid:
            return None
        change(new)
        if new == old:
            return old
        waited = new["metadata"].get("deletionTimestamp") and old["metadata"].get("finalizers")
        if waited and not new["metadata"].get("finalizers"):
            self.world.store.delete(kind, key)
            return None
        self.world.store.put(kind, key, new)
        return new

    def remove(
        self,
        resource: str,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        grace: int | None = None,
    ) -> None:
        """Delete an object as DELETE does, if it is still there and of this UID."""
        kind = self._kind(resource)
        found = self.get(resource, name, namespace)
        if found is None or (uid and found["metadata"]["uid"] != uid):
            return
        call = Call(
            verb="delete",
            kind=kind,
            at=self.world.clock(),
            user=CONTROLLERS,
            namespace=namespace,
            name=name,
        )
        deletion.delete(self.world, call, Options(grace=grace, uid=uid))

    def _kind(self, resource: str) -> Kind:
        return self.world.kinds.named(resource)
