"""The node lifecycle controller: silent kubelets, the taints that say so, pods that must go."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from nodehealth import keys
from nodehealth.kube.objects import Taint, Toleration
from simulator import containers, records
from simulator.agenda import Agenda, Dirty
from simulator.api import wire
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.census import Census, NodeFacts, PodFacts
from simulator.records import Records
from simulator.templates import LEASE_NAMESPACE, NOT_READY, UNREACHABLE
from simulator.timings import Timings

UNSCHEDULABLE: Final = Taint(key=keys.UNSCHEDULABLE_TAINT, effect="NoSchedule")
_SILENT: Final = "Kubelet stopped posting node status."
_KUBELETS: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
_BY_READY: Final = {"True": "", "False": NOT_READY, "Unknown": UNREACHABLE}


class Lifecycle:
    """Watches Leases, taints Nodes, expels pods by taints, collects pods without a Node."""

    def __init__(self, records_: Records, census: Census, agenda: Agenda, timings: Timings) -> None:
        self._records = records_
        self._census = census
        self._agenda = agenda
        self._timings = timings
        self._heard: dict[str, datetime] = {}
        """When each Lease was renewed last, by our own clock; the longest silent first."""
        self._silent: dict[str, None] = {}
        self._nodes = Dirty(agenda, self._look_at_node)
        self._pods = Dirty(agenda, self._look_at_pod)
        now = records_.world.clock()
        for lease in records_.each(records.LEASES):
            if wire.text(lease, "metadata", "namespace") == LEASE_NAMESPACE:
                self._heard[lease["metadata"]["name"]] = now
        records_.world.store.on_commit(self._saw)
        census.on_nodes(self._saw_node)
        census.on_pods(self._saw_pod)
        agenda.after(timings.monitor, self._monitor)

    def _saw(self, change: Change) -> None:
        namespace = change.new.fields["metadata.namespace"]
        if change.resource != records.LEASES or namespace != LEASE_NAMESPACE:
            return
        name = change.new.fields["metadata.name"]
        self._heard.pop(name, None)
        self._silent.pop(name, None)
        if change.now is not None:
            self._heard[name] = change.at

    def _saw_node(self, old: NodeFacts | None, new: NodeFacts | None) -> None:
        facts = new or old
        if facts is None:
            return
        if new is None:
            self._agenda.after(self._timings.orphans, lambda: self._collect(facts.name))
        elif old is None or (old.taints, old.ready) != (new.taints, new.ready):
            self._nodes.mark(new.name)

    def _saw_pod(self, old: PodFacts | None, new: PodFacts | None) -> None:
        if new is None or not new.node or (old is not None and old.node == new.node):
            return
        node = self._census.nodes.get(new.node)
        if node is None:
            self._agenda.after(self._timings.orphans, lambda: self._collect(new.node))
        elif any(taint.effect == "NoExecute" for taint in node.taints):
            self._pods.mark(new.key)

    def _monitor(self) -> None:
        """Find the Nodes whose Leases are stale; the first fresh one ends the search."""
        now = self._now()
        for name, heard in tuple(self._heard.items()):
            if now - heard <= self._timings.monitor_grace:
                break
            self._silence(name)
        self._agenda.after(self._timings.monitor, self._monitor)

    def _silence(self, name: str) -> None:
        if name in self._silent:
            return
        self._silent[name] = None
        self._records.change(records.NODES, name, lambda node: _unknown(node, self._now()))

    def _look_at_node(self, name: str) -> None:
        node = self._census.nodes.get(name)
        if node is None:
            return
        wanted = _BY_READY.get(node.ready, "")
        self._records.change(records.NODES, name, lambda value: _taint(value, wanted, self._now()))
        for pod in self._census.pods_on(name):
            if wanted and pod.ready:
                self._unready(pod)
            self._pods.mark(pod.key)

    def _unready(self, pod: PodFacts) -> None:
        since = wire.timestamp(self._now())
        self._records.change(
            records.PODS,
            pod.name,
            lambda value: containers.unready(value, since, "NodeNotReady"),
            namespace=pod.namespace,
            uid=pod.uid,
        )

    def _look_at_pod(self, key: str) -> None:
        """Delete a pod when the time is up that it tolerates its Node's taints."""
        pod = self._census.pods.get(key)
        node = None if pod is None else self._census.nodes.get(pod.node)
        if pod is None or node is None:
            return
        taints = [taint for taint in node.taints if taint.effect == "NoExecute"]
        if pod.leaving and _is_out_of_service(node):
            self._let_go_later(pod)
        elif taints and not pod.leaving:
            self._expel(pod, taints)

    def _expel(self, pod: PodFacts, taints: list[Taint]) -> None:
        deadline = _deadline(taints, self._tolerations(pod), self._now())
        if deadline is None:
            return
        left = deadline - self._now()
        if left > timedelta(0):
            self._agenda.after(left, lambda: self._pods.mark(pod.key))
            return
        self._records.remove(records.PODS, pod.name, namespace=pod.namespace, uid=pod.uid)

    def _let_go_later(self, pod: PodFacts) -> None:
        """Have the pod collector look at a pod on its next round."""
        every = self._timings.out_of_service.total_seconds()
        left = every - self._now().timestamp() % every if every else 0.0
        self._agenda.after(timedelta(seconds=left), lambda: self._let_go(pod))

    def _let_go(self, pod: PodFacts) -> None:
        """Let go of a pod that is ending on a machine that somebody vouches is off."""
        now = self._census.pods.get(pod.key)
        node = None if now is None else self._census.nodes.get(now.node)
        if now is not None and now.leaving and node is not None and _is_out_of_service(node):
            self._remove_now(now)

    def _collect(self, node: str) -> None:
        """Let go of the pods of a Node that is gone."""
        if node not in self._census.nodes:
            for pod in self._census.pods_on(node):
                self._remove_now(pod)

    def _remove_now(self, pod: PodFacts) -> None:
        self._records.remove(records.PODS, pod.name, namespace=pod.namespace, uid=pod.uid, grace=0)

    def _tolerations(self, pod: PodFacts) -> list[Toleration]:
        value = self._records.get(records.PODS, pod.name, pod.namespace) or {}
        return [toleration(each) for each in wire.items(value, "spec", "tolerations")]

    def _now(self) -> datetime:
        return self._records.world.clock()


def _is_out_of_service(node: NodeFacts) -> bool:
    marked = any(taint.key == keys.OUT_OF_SERVICE_TAINT for taint in node.taints)
    return marked and node.ready != "True"


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Tell whether one of the tolerations puts up with a taint."""
    return any(_matches(each, taint) for each in tolerations)


def _matches(one: Toleration, taint: Taint) -> bool:
    if one.effect not in {"", taint.effect}:
        return False
    if one.key not in {"", taint.key}:
        return False
    if one.operator == "Exists":
        return True
    return bool(one.key) and one.value == taint.value


def _deadline(taints: list[Taint], tolerations: list[Toleration], now: datetime) -> datetime | None:
    """Return until when a pod may stay on a Node with these taints; None is for ever."""
    deadlines: list[datetime] = []
    for taint in taints:
        matching = [each for each in tolerations if _matches(each, taint)]
        if not matching:
            return now
        spans = [
            each.toleration_seconds for each in matching if each.toleration_seconds is not None
        ]
        if spans:
            deadlines.append((taint.time_added or now) + timedelta(seconds=max(0, min(spans))))
    return min(deadlines, default=None)


def toleration(value: JsonObject) -> Toleration:
    """Read one of a pod's tolerations."""
    return Toleration(
        key=wire.text(value, "key"),
        operator=wire.text(value, "operator") or "Equal",
        value=wire.text(value, "value"),
        effect=wire.text(value, "effect"),
        toleration_seconds=value.get("tolerationSeconds"),
    )


def _unknown(node: JsonObject, now: datetime) -> None:
    """Say of a silent kubelet's conditions that nobody knows."""
    for condition in wire.items(node, "status", "conditions"):
        if condition["type"] in _KUBELETS and condition["status"] != "Unknown":
            condition["status"] = "Unknown"
            condition["reason"] = "NodeStatusUnknown"
            condition["message"] = _SILENT
            condition["lastTransitionTime"] = wire.timestamp(now)


def _taint(node: JsonObject, wanted: str, now: datetime) -> None:
    """Have the NoExecute taint that the condition Ready asks for; the others are not our affair."""
    taints = wire.items(node, "spec", "taints")
    kept = [each for each in taints if not _is_ours(each) or each["key"] == wanted]
    if wanted and not any(_is_ours(each) for each in kept):
        since = wire.timestamp(now)
        kept.append({"key": wanted, "effect": "NoExecute", "timeAdded": since})
    if kept:
        wire.made(node, "spec")["taints"] = kept
    else:
        node["spec"].pop("taints", None)


def _is_ours(taint: JsonObject) -> bool:
    return taint["effect"] == "NoExecute" and taint["key"] in {NOT_READY, UNREACHABLE}
