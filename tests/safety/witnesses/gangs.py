"""S1: of a gang that still runs, no more nodes are disrupted at once than its limit.

Who is in which gang, it reads off the pods that the API server has, and whose pods we took, off the
requests; of slots and what they claim it knows nothing.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from nodehealth.kube.objects import Node, Pod
from simulator import records
from simulator.api.server import ApiServer
from simulator.api.store import Change
from simulator.observer import Observer
from tests.safety.witnesses.history import Deed, Witness

JOBSET: Final = "jobset.sigs.k8s.io/jobset-name"
_pods: Final = msgspec.json.Decoder(Pod)


@dataclass(slots=True)
class Together(Witness):
    """Counts the nodes that each JobSet loses through us."""

    observer: Observer = field(default_factory=Observer)
    most: int = 1
    _running: dict[str, Pod] = field(default_factory=dict)
    """By UID, the pods of gangs that are there."""
    _lost: dict[str, set[str]] = field(default_factory=dict)
    """By gang, the nodes on which we took pods of it."""

    def attach(self, api: ApiServer) -> None:
        """Begin to listen for pods."""
        for change in api.world.store.present():
            self._commit(change)
        api.on_commit(self._commit)

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Forget who is back: when it is taken the next time, it may have no pod of the gang."""
        for lost in self._lost.values():
            lost.intersection_update(self.observer.disrupted)

    def done(self, deed: Deed) -> None:
        """Take in what ends pods: an eviction, or an order to their machine or within it."""
        if not deed.changed:
            return
        match deed.what:
            case (records.PODS, "eviction") if deed.before is not None:
                self._took(_pods.decode(deed.before.body))
            case (records.PODS, "binding"):
                self._took_all(deed.sent()["target"]["name"])
            case (records.MACHINES, _):
                self._took_all(deed.entry.name)

    def _commit(self, change: Change) -> None:
        if change.resource != records.PODS:
            return
        pod = _pods.decode(change.new.body)
        self._running.pop(pod.metadata.uid, None)
        if change.now is not None and pod.metadata.deletion_timestamp is None and _gang(pod):
            self._running[pod.metadata.uid] = pod

    def _took_all(self, node: str) -> None:
        for pod in tuple(self._running.values()):
            if pod.spec.node_name == node:
                self._took(pod)

    def _took(self, pod: Pod) -> None:
        name, gang = pod.spec.node_name, _gang(pod)
        if not gang or not _is_heard_of(self.history.nodes.get(name)):
            return
        lost = self._lost.setdefault(gang, set())
        lost.add(name)
        lost.intersection_update(self.observer.disrupted)
        if len(lost) > self.most:
            names = ", ".join(sorted(lost))
            self.history.breach("S1", f"gang {gang} lost {names} at the same time")


def _gang(pod: Pod) -> str:
    return pod.metadata.labels.get(JOBSET, "")


def _is_heard_of(node: Node | None) -> bool:
    """Say whether a node's kubelet speaks; what runs on another one is lost already."""
    conditions = node.status.conditions if node is not None else ()
    return any(each.type == "Ready" and each.status != "Unknown" for each in conditions)
