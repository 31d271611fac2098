"""A plain scheduler: each pod goes to the next node in turn that takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nodehealth.kube.objects import Toleration
from simulator import lifecycle, records
from simulator.agenda import Agenda, Dirty
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import DEFAULT_SCHEDULER, Census, NodeFacts, PodFacts
from simulator.records import Records
from simulator.timings import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a pod asks of a node; many pods ask the same."""

    selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    pinned: str = ""
    """The one node that will do, as a DaemonSet's pod has it."""
    gpus: int = 0


class Round:
    """One round of placing pods: what was found full or hopeless is not looked at again.

    Args:
        census: The nodes, and what is on them.
        turn: The place in the order of the nodes to begin at.
    """

    def __init__(self, census: Census, turn: int = 0) -> None:
        self.turn = turn
        self._census = census
        self._order = sorted(census.nodes)
        self._room: dict[str, tuple[int, int]] = {}
        """How many pods and GPUs each node still takes, as far as it was looked up."""
        self._hopeless: set[Wish] = set()

    def choose(self, wish: Wish) -> str | None:
        """Return the next node in turn that takes such a pod, and count the pod as placed."""
        if wish in self._hopeless:
            return None
        for step in range(len(self._order)):
            name = self._order[(self.turn + step) % len(self._order)]
            node = self._census.nodes[name]
            if suits(node, wish) and self._takes(node, wish):
                self.turn = (self.turn + step + 1) % len(self._order)
                return name
        self._hopeless.add(wish)
        return None

    def _takes(self, node: NodeFacts, wish: Wish) -> bool:
        if node.name not in self._room:
            pods, gpus = self._census.load(node.name)
            self._room[node.name] = (node.pods - pods, node.gpus - gpus)
        pods, gpus = self._room[node.name]
        if pods < 1 or gpus < wish.gpus:
            return False
        self._room[node.name] = (pods - 1, gpus - wish.gpus)
        return True


class Scheduler:
    """Binds pods to nodes that are ready, schedulable, tolerable and have room."""

    def __init__(self, records_: Records, census: Census, agenda: Agenda, timings: Timings) -> None:
        self._records = records_
        self._census = census
        self._waiting: dict[str, None] = {}
        self._turn = 0
        self._round = Dirty(agenda, lambda _: self._place_all(), timings.schedule)
        census.on_pods(self._saw_pod)
        census.on_nodes(lambda _old, _new: self._wake())
        for pod in census.pods.values():
            self._saw_pod(None, pod)

    def _saw_pod(self, old: PodFacts | None, new: PodFacts | None) -> None:
        if new is not None and new.scheduler != DEFAULT_SCHEDULER:
            return  # somebody else places it
        if new is not None and not new.node and new.active:
            if old is None:
                self._waiting[new.key] = None
                self._wake()
        elif old is not None:
            self._waiting.pop(old.key, None)
            if old.node and (new is None or new.finished):
                self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._round.mark("round")

    def _place_all(self) -> None:
        """Try every waiting pod once."""
        here = Round(self._census, self._turn)
        for key in tuple(self._waiting):
            pod = self._census.pods[key]
            value = self._records.get(records.PODS, pod.name, pod.namespace) or {}
            node = here.choose(wish_of(value, pod.gpus))
            if node is None:
                self._refuse(pod)
            else:
                self._bind(pod, node)
        self._turn = here.turn

    def _bind(self, pod: PodFacts, node: str) -> None:
        since = wire.timestamp(self._records.world.clock())

        def bound(value: JsonObject) -> None:
            value["spec"]["nodeName"] = node
            _say(value, {"status": "True", "lastTransitionTime": since})

        self._change(pod, bound)

    def _refuse(self, pod: PodFacts) -> None:
        since = wire.timestamp(self._records.world.clock())
        why = {"reason": "Unschedulable", "message": "no node is available for this pod"}

        def refused(value: JsonObject) -> None:
            if wire.condition(value, "PodScheduled") is None:
                _say(value, {"status": "False", "lastTransitionTime": since, **why})

        self._change(pod, refused)

    def _change(self, pod: PodFacts, change: records.Change) -> None:
        self._records.change(records.PODS, pod.name, change, namespace=pod.namespace, uid=pod.uid)


def wish_of(pod: JsonObject, gpus: int) -> Wish:
    """Read what a pod asks of a node."""
    return Wish(
        selector=tuple(sorted(wire.section(pod, "spec", "nodeSelector").items())),
        tolerations=tuple(
            lifecycle.toleration(each) for each in wire.items(pod, "spec", "tolerations")
        ),
        pinned=_pinned(pod),
        gpus=gpus,
    )


def suits(node: NodeFacts, wish: Wish) -> bool:
    """Tell whether a node is one that a pod may be placed on, room aside."""
    if node.ready != "True" or wish.pinned not in {"", node.name}:
        return False
    if any(node.labels.get(key) != value for key, value in wish.selector):
        return False
    return is_open(node, wish.tolerations)


def is_open(node: NodeFacts, tolerations: Sequence[Toleration]) -> bool:
    """Tell whether neither a cordon nor a taint keeps a pod off a node."""
    barring = [taint for taint in node.taints if taint.effect in {"NoSchedule", "NoExecute"}]
    if node.unschedulable:
        barring.append(lifecycle.UNSCHEDULABLE)
    return all(lifecycle.tolerates(tolerations, taint) for taint in barring)


def pin(node: str) -> JsonObject:
    """Return the affinity by which a DaemonSet ties a pod to a node."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _pinned(pod: JsonObject) -> str:
    place = ("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    for term in wire.items(pod, "spec", "affinity", "nodeAffinity", *place):
        for field in wire.items(term, "matchFields"):
            values: list[str] = field.get("values") or [""]
            return values[0]
    return ""


def _say(pod: JsonObject, scheduled: Mapping[str, str]) -> None:
    conditions = wire.items(pod, "status", "conditions")
    others = [each for each in conditions if each["type"] != "PodScheduled"]
    entry = {"type": "PodScheduled", "lastProbeTime": None, **scheduled}
    wire.made(pod, "status")["conditions"] = [*others, entry]
