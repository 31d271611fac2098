"""The disruption controller: keeps the status of every disruption budget true."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nodehealth.kube.objects import OwnerReference, Pod
from simulator.api import disruptions, selectors, wire
from simulator.api.controllers.controller import Controller
from simulator.api.direct import Direct
from simulator.api.evictions import BUDGETS
from simulator.api.selectors import Selector
from simulator.api.store import Change, Entry
from simulator.api.wire import JsonObject
from simulator.api.world import World

_SCALABLE: Final = {
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "Deployment": "deployments.apps",
}
_UNSCALABLE: Final = {"DaemonSet": "daemonsets.apps", "Job": "jobs.batch"}
_pods = msgspec.json.Decoder(Pod)


class ScaleError(Exception):
    """It cannot be told how many pods there should be."""


class DisruptionController(Controller[str]):
    """Counts the pods of every budget anew when one of them changes."""

    def __init__(self, world: World, direct: Direct) -> None:
        super().__init__()
        self._world = world
        self._direct = direct
        self._selectors: dict[str, Selector] = {}

    def notice(self, change: Change) -> None:
        """Look at a budget that changed, and at those that select a pod that did."""
        if change.resource == BUDGETS:
            self._learn(change)
        elif change.resource == "pods":
            self._queue_budgets_of(change)
        elif change.resource in _SCALABLE.values():
            namespace = change.new.fields["metadata.namespace"]
            for key in self._selectors:
                if key.startswith(f"{namespace}/"):
                    self.queue(key)

    def _learn(self, change: Change) -> None:
        key = change.new.key
        if change.now is None:
            self._selectors.pop(key, None)
            return
        spec = wire.section(wire.load(change.new.body), "spec")
        self._selectors[key] = selectors.of_object(spec.get("selector"))
        self.queue(key)

    def _queue_budgets_of(self, change: Change) -> None:
        namespace = change.new.key.partition("/")[0]
        for key, selector in self._selectors.items():
            if key.partition("/")[0] == namespace and _concerns(selector, change):
                self.queue(key)

    def sync(self, item: str) -> None:
        """Bring a budget's status up to date."""
        namespace, _, name = item.partition("/")
        budget = self._world.find(self._world.kinds.named(BUDGETS), namespace, name)
        if budget is None:
            return
        now, pods = self._world.clock(), self._pods(namespace, self._selectors[item])
        try:
            scale = self._scale(namespace, pods) if disruptions.needs_scale(budget) else 0
        except ScaleError as problem:
            self._write(budget, disruptions.failed(budget, str(problem), now))
            return
        found = disruptions.counts(budget, pods, scale, now)
        self._write(budget, disruptions.status_of(budget, found, now))
        again = disruptions.recheck(found)
        if again is not None:
            self.queue_at(item, again)

    def _write(self, budget: JsonObject, status: JsonObject) -> None:
        if status != budget.get("status"):
            self._direct.replace(BUDGETS, {**budget, "status": status}, subresource="status")

    def _pods(self, namespace: str, selector: Selector) -> Sequence[Pod]:
        shelf = self._world.store.shelf(self._world.kinds.named("pods"))
        chosen = [one for one in shelf.within(namespace) if selector.matches(one.labels)]
        return [_pods.decode(entry.body) for entry in chosen]

    def _scale(self, namespace: str, pods: Sequence[Pod]) -> int:
        """Add up how many pods the controllers of these pods want."""
        seen: set[str] = set()
        scales: dict[str, int] = {}
        for pod in pods:
            owner = disruptions.controller(pod)
            if owner is not None and owner.uid not in seen:
                seen.add(owner.uid)
                uid, scale = self._scale_of(namespace, owner, pod.metadata.name)
                scales[uid] = scale
        return sum(scales.values())

    def _scale_of(self, namespace: str, owner: OwnerReference, pod: str) -> tuple[str, int]:
        found = self._controller(namespace, owner, pod)
        above = _controller_of(found)
        if owner.kind == "ReplicaSet" and above is not None and above.get("kind") == "Deployment":
            reference = msgspec.convert(above, OwnerReference)
            found = self._controller(namespace, reference, pod)
        replicas = wire.section(found, "spec").get("replicas", 1)
        return wire.text(found, "metadata", "uid"), int(replicas)

    def _controller(self, namespace: str, owner: OwnerReference, pod: str) -> JsonObject:
        if owner.kind in _UNSCALABLE:
            resource = _UNSCALABLE[owner.kind]
            raise ScaleError(f"{resource} does not implement the scale subresource")
        resource = _SCALABLE.get(owner.kind, "")
        found = self._direct.find(resource, owner.name, namespace=namespace) if resource else None
        if found is None or found["metadata"]["uid"] != owner.uid:
            raise ScaleError(f'found no controllers for pod "{pod}"')
        return found


def _controller_of(value: JsonObject) -> Mapping[str, object] | None:
    owners = wire.items(value, "metadata", "ownerReferences")
    return next((owner for owner in owners if owner.get("controller")), None)


def _concerns(selector: Selector, change: Change) -> bool:
    entries: list[Entry | None] = [change.old, change.new]
    return any(entry is not None and selector.matches(entry.labels) for entry in entries)
