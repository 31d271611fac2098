"""Who makes pods: Deployments, StatefulSets, DaemonSets, Jobs, as far as nodes care."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nodehealth import keys
from simulator import records, scheduler, templates
from simulator.agenda import Agenda, Dirty
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import HOLDS_GPUS, RUNS_FOR, STOPS_AFTER, Census, NodeFacts, PodFacts
from simulator.records import Records
from simulator.scenario import Budget, Workload, WorkloadKind
from simulator.timings import Timings

APP: Final = keys.NAME_LABEL
_PRESSURES: Final = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
_DAEMONS: Final[Sequence[JsonObject]] = (
    *(
        {"key": f"node.kubernetes.io/{kind}", "operator": "Exists", "effect": "NoExecute"}
        for kind in ("not-ready", "unreachable")
    ),
    *(
        {"key": f"node.kubernetes.io/{kind}", "operator": "Exists", "effect": "NoSchedule"}
        for kind in _PRESSURES
    ),
    {"key": keys.REPAIR_TAINT, "operator": "Exists"},
)
_RESOURCES: Final = {
    WorkloadKind.DEPLOYMENT: (records.REPLICA_SETS, "ReplicaSet", "apps/v1"),
    WorkloadKind.STATEFUL_SET: (records.STATEFUL_SETS, "StatefulSet", "apps/v1"),
    WorkloadKind.DAEMON_SET: (records.DAEMON_SETS, "DaemonSet", "apps/v1"),
    WorkloadKind.JOB: (records.JOBS, "Job", "batch/v1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A workload that lives in the cluster, with the object that its pods belong to."""

    workload: Workload
    uid: str
    resource: str
    name: str
    reference: JsonObject
    template: JsonObject
    account: str = "default"


class Workloads:
    """Keeps as many pods of every workload as it wants."""

    def __init__(self, records_: Records, census: Census, agenda: Agenda, timings: Timings) -> None:
        self.owners: dict[str, Owner] = {}
        self._records = records_
        self._census = census
        self._owners = Dirty(agenda, self._look, timings.recreate)
        census.on_pods(self._saw_pod)
        census.on_nodes(self._saw_node)

    def found(self, workload: Workload, *, account: str = "default") -> Owner | None:
        """Make the objects of a workload, without its pods; bare pods have none."""
        if workload.budget is not None:
            self._records.insert(records.BUDGETS, _budget(workload, workload.budget))
        if workload.kind is WorkloadKind.BARE:
            return None
        resource, kind, group = _RESOURCES[workload.kind]
        template = template_of(workload, account)
        above = self._deployment(workload, template)
        name = f"{workload.name}-{_digest(workload.name)}" if above else workload.name
        value = _object(workload, name, template, above)
        made = self._records.insert(resource, value)
        owner = Owner(
            workload=workload,
            uid=made["metadata"]["uid"],
            resource=resource,
            name=name,
            reference=templates.owner(kind, made, group=group),
            template=template,
            account=account,
        )
        self.owners[owner.uid] = owner
        return owner

    def begin(self) -> None:
        """Make the pods that are missing."""
        for uid in self.owners:
            self._owners.mark(uid)

    def _deployment(self, workload: Workload, template: JsonObject) -> list[JsonObject]:
        if workload.kind is not WorkloadKind.DEPLOYMENT:
            return []
        value = _object(workload, workload.name, template, [])
        return [templates.owner("Deployment", self._records.insert(records.DEPLOYMENTS, value))]

    def _saw_pod(self, old: PodFacts | None, new: PodFacts | None) -> None:
        pod = new or old
        if pod is not None and pod.owner in self.owners:
            self._owners.mark(pod.owner)

    def _saw_node(self, old: NodeFacts | None, new: NodeFacts | None) -> None:
        if _seen(old) != _seen(new):
            for owner in self.owners.values():
                if owner.workload.kind is WorkloadKind.DAEMON_SET:
                    self._owners.mark(owner.uid)

    def _look(self, uid: str) -> None:
        owner, pods = self.owners[uid], tuple(self._census.pods_of(uid))
        match owner.workload.kind:
            case WorkloadKind.DAEMON_SET:
                self._fill_nodes(owner, pods)
            case WorkloadKind.STATEFUL_SET:
                self._fill_numbers(owner, pods)
            case WorkloadKind.JOB:
                counted = [pod for pod in pods if pod.active or pod.phase == "Succeeded"]
                self._fill_up(owner, owner.workload.replicas - len(counted))
            case _:
                active = [pod for pod in pods if pod.active]
                self._fill_up(owner, owner.workload.replicas - len(active))
        self._tell(owner, tuple(self._census.pods_of(uid)))

    def _fill_up(self, owner: Owner, missing: int) -> None:
        for _ in range(missing):
            self._make(owner, self.fresh_name(owner))

    def _fill_numbers(self, owner: Owner, pods: Sequence[PodFacts]) -> None:
        """A pod of a StatefulSet comes back under its name, once the old one is really gone."""
        held = {pod.name for pod in pods}
        names = [f"{owner.name}-{number}" for number in range(owner.workload.replicas)]
        for name in names:
            if name not in held:
                self._make(owner, name)

    def _fill_nodes(self, owner: Owner, pods: Sequence[PodFacts]) -> None:
        pinned = {wanted_node(pod, self._records) for pod in pods}
        for name in self.nodes_of(owner):
            if name not in pinned:
                self._make(owner, self.fresh_name(owner), node=name)
        for pod in pods:
            node = self._census.nodes.get(pod.node)
            if node is not None and not pod.leaving and _gives_way(owner, node):
                self._records.remove(records.PODS, pod.name, namespace=pod.namespace, uid=pod.uid)

    def nodes_of(self, owner: Owner) -> list[str]:
        """Return the nodes on which a DaemonSet wants a pod now."""
        tolerations = scheduler.wish_of(owner.template, 0).tolerations
        return [
            name
            for name in sorted(self._census.nodes)
            if _belongs(owner, node := self._census.nodes[name])
            and scheduler.is_open(node, tolerations)
        ]

    def fresh_name(self, owner: Owner) -> str:
        """Return a name for one more pod."""
        return self._records.fresh_name(records.PODS, owner.workload.namespace, f"{owner.name}-")

    def _make(self, owner: Owner, name: str, *, node: str = "") -> None:
        pod = pod_of(owner.workload, owner.template, name, [owner.reference])
        if node:
            pod["spec"]["affinity"] = scheduler.pin(node)
        self._records.insert(records.PODS, pod)

    def _tell(self, owner: Owner, pods: Sequence[PodFacts]) -> None:
        """Keep the counts that people look at."""
        ready = sum(pod.ready and pod.active for pod in pods)
        active = sum(pod.active for pod in pods)
        where, name = owner.workload.namespace, owner.name
        status = _counts(owner.workload.kind, active, ready, pods)
        self._records.change(
            owner.resource, name, lambda value: _put(value, status), namespace=where
        )
        if owner.workload.kind is WorkloadKind.DEPLOYMENT:
            kind, name = records.DEPLOYMENTS, owner.workload.name
            status = {**status, "updatedReplicas": active}
            self._records.change(kind, name, lambda value: _put(value, status), namespace=where)


def template_of(workload: Workload, account: str = "default") -> JsonObject:
    """Return the template of a workload's pods."""
    annotations = {STOPS_AFTER: str(workload.stops_after.total_seconds())}
    if workload.runs_for:
        annotations[RUNS_FOR] = str(workload.runs_for.total_seconds())
    if workload.holds_gpus:
        annotations[HOLDS_GPUS] = "true"
    return templates.pod_template(
        labels={APP: workload.name},
        annotations=annotations,
        selector={keys.POOL_LABEL: workload.pool} if workload.pool else {},
        tolerations=_DAEMONS if workload.kind is WorkloadKind.DAEMON_SET else (),
        grace=workload.grace,
        gpus=workload.gpus,
        restart="Never" if workload.kind is WorkloadKind.JOB else "Always",
        account=account,
    )


def pod_of(
    workload: Workload, template: JsonObject, name: str, owners: Sequence[JsonObject]
) -> JsonObject:
    """Return a new pod of a workload."""
    return templates.pod(template, name=name, namespace=workload.namespace, owners=owners)


def wanted_node(pod: PodFacts, records_: Records) -> str:
    """Return the node that a DaemonSet's pod is on, or is meant for."""
    if pod.node:
        return pod.node
    value = records_.get(records.PODS, pod.name, pod.namespace) or {}
    return scheduler.wish_of(value, pod.gpus).pinned


def _belongs(owner: Owner, node: NodeFacts) -> bool:
    wanted = owner.workload.pool in {"", node.pool} and node.ready == "True"
    return wanted and not _gives_way(owner, node)


def _gives_way(owner: Owner, node: NodeFacts) -> bool:
    paused = node.labels.get(keys.GPU_CLIENTS_LABEL) == keys.PAUSED
    return owner.workload.gives_way and paused


def _seen(node: NodeFacts | None) -> tuple[object, ...]:
    """Return what a DaemonSet looks at of a Node."""
    if node is None:
        return ()
    paused = node.labels.get(keys.GPU_CLIENTS_LABEL)
    return node.uid, node.taints, node.unschedulable, node.ready, paused


def _object(
    workload: Workload, name: str, template: JsonObject, owners: list[JsonObject]
) -> JsonObject:
    labels = {APP: workload.name}
    metadata: JsonObject = {"name": name, "namespace": workload.namespace, "labels": labels}
    if owners:
        metadata["ownerReferences"] = owners
    spec: JsonObject = {"selector": {"matchLabels": labels}, "template": wire.clone(template)}
    match workload.kind:
        case WorkloadKind.JOB:
            spec |= {"parallelism": workload.replicas, "completions": workload.replicas}
        case WorkloadKind.DAEMON_SET:
            pass
        case _:
            spec["replicas"] = workload.replicas
    return {"metadata": metadata, "spec": spec, "status": {}}


def _budget(workload: Workload, budget: Budget) -> JsonObject:
    limits = {
        "maxUnavailable": budget.max_unavailable,
        "minAvailable": budget.min_available,
        "unhealthyPodEvictionPolicy": budget.unhealthy,
    }
    selector = {"matchLabels": {APP: workload.name}}
    given = {name: value for name, value in limits.items() if value not in {None, ""}}
    return {
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {"selector": selector, **given},
        "status": {},
    }


def _counts(
    kind: WorkloadKind, active: int, ready: int, pods: Sequence[PodFacts]
) -> dict[str, int]:
    match kind:
        case WorkloadKind.DAEMON_SET:
            return {
                "currentNumberScheduled": active,
                "desiredNumberScheduled": len(pods),
                "numberAvailable": ready,
                "numberMisscheduled": 0,
                "numberReady": ready,
                "updatedNumberScheduled": active,
            }
        case WorkloadKind.JOB:
            done = sum(pod.phase == "Succeeded" for pod in pods)
            return {"active": active, "ready": ready, "succeeded": done}
        case _:
            return {"replicas": active, "readyReplicas": ready, "availableReplicas": ready}


def _put(value: JsonObject, status: dict[str, int]) -> None:
    observed = value["metadata"].get("generation", 1)
    value["status"] = {**value.get("status", {}), "observedGeneration": observed, **status}


def _digest(name: str) -> str:
    return f"{zlib.crc32(name.encode()):08x}"
