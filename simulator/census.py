"""Which nodes there are, which pods are on them and whose they are: an index kept from commits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Metadata, Node, Object, PodStatus, Struct, Taint, Toleration
from simulator import records
from simulator.api.store import Change, Entry, Store

STOPS_AFTER: Final = "simulator.nodemend.dev/stops-after"
"""A pod's annotation: how many seconds its containers take to end when they are told to."""
RUNS_FOR: Final = "simulator.nodemend.dev/runs-for"
"""A pod's annotation: after how many seconds its containers end by themselves, with success."""


HOLDS_GPUS: Final = "simulator.nodemend.dev/holds-gpus"
"""A pod's annotation: it has all GPUs of its node open, although it asked for none."""
DEFAULT_SCHEDULER: Final = "default-scheduler"


class _Resources(Struct, frozen=True, kw_only=True):
    requests: Mapping[str, str] = {}


class _Container(Struct, frozen=True, kw_only=True):
    resources: _Resources = _Resources()


class _PodSpec(Struct, frozen=True, kw_only=True):
    node_name: str = ""
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    containers: tuple[_Container, ...] = ()
    scheduler_name: str = DEFAULT_SCHEDULER


class _Pod(Object, frozen=True, kw_only=True):
    spec: _PodSpec = _PodSpec()
    status: PodStatus = PodStatus()


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the simulated world needs to know of a pod."""

    key: str
    namespace: str
    name: str
    uid: str
    node: str
    owner: str
    """The UID of its controller."""
    phase: str
    ready: bool
    grace: int | None
    """The seconds it has been given to end; None unless it is being deleted."""
    gpus: int
    stops_after: float
    runs_for: float
    holds_gpus: bool = False
    scheduler: str = DEFAULT_SCHEDULER

    @property
    def leaving(self) -> bool:
        """Tell whether it is being deleted."""
        return self.grace is not None

    @property
    def active(self) -> bool:
        """Tell whether its owner counts on it."""
        return not self.leaving and self.phase in {"Pending", "Running"}

    @property
    def finished(self) -> bool:
        """Tell whether its containers ended for good."""
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the simulated world needs to know of a Node."""

    name: str
    uid: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    unschedulable: bool
    ready: str
    """The status of its condition Ready: True, False, Unknown."""
    pods: int
    gpus: int

    @property
    def pool(self) -> str:
        """Return the pool it belongs to."""
        return self.labels.get(keys.POOL_LABEL, "")


PodNews: TypeAlias = Callable[[PodFacts | None, PodFacts | None], None]
NodeNews: TypeAlias = Callable[[NodeFacts | None, NodeFacts | None], None]

_STOPS_AFTER: Final = 1.0
_pod_decoder = msgspec.json.Decoder(_Pod)
_node_decoder = msgspec.json.Decoder(Node)


class Census:
    """Nodes and pods as they are after the last commit.

    Who subscribes is told within the commit, and only takes a note: to act is for the agenda.
    """

    def __init__(self, store: Store) -> None:
        self.nodes: dict[str, NodeFacts] = {}
        self.pods: dict[str, PodFacts] = {}
        self._on: dict[str, dict[str, None]] = {}
        self._of: dict[str, dict[str, None]] = {}
        self._pod_news: list[PodNews] = []
        self._node_news: list[NodeNews] = []
        store.on_commit(self._saw)

    def on_pods(self, news: PodNews) -> None:
        """Tell of every pod that comes, changes or goes."""
        self._pod_news.append(news)

    def on_nodes(self, news: NodeNews) -> None:
        """Tell of every Node that comes, changes or goes."""
        self._node_news.append(news)

    def pods_on(self, node: str) -> Iterator[PodFacts]:
        """Yield the pods that are bound to a node."""
        return (self.pods[key] for key in tuple(self._on.get(node, ())))

    def pods_of(self, owner: str) -> Iterator[PodFacts]:
        """Yield the pods that a controller made, by its UID."""
        return (self.pods[key] for key in tuple(self._of.get(owner, ())))

    def load(self, node: str) -> tuple[int, int]:
        """Return how many pods and GPUs of a node are taken."""
        held = [pod for pod in self.pods_on(node) if not pod.finished]
        return len(held), sum(pod.gpus for pod in held)

    def _saw(self, change: Change) -> None:
        if change.resource == records.PODS:
            self._saw_pod(change.new.key, None if change.now is None else _pod(change.now))
        elif change.resource == records.NODES:
            self._saw_node(change.new.key, None if change.now is None else _node(change.now))

    def _saw_pod(self, key: str, new: PodFacts | None) -> None:
        old = self.pods.pop(key, None)
        if old is not None:
            _forget(self._on, old.node, key)
            _forget(self._of, old.owner, key)
        if new is not None:
            self.pods[key] = new
            self._on.setdefault(new.node, {})[key] = None
            self._of.setdefault(new.owner, {})[key] = None
        for news in self._pod_news:
            news(old, new)

    def _saw_node(self, name: str, new: NodeFacts | None) -> None:
        old = self.nodes.pop(name, None)
        if new is not None:
            self.nodes[name] = new
        for news in self._node_news:
            news(old, new)


def _forget(index: dict[str, dict[str, None]], name: str, key: str) -> None:
    index[name].pop(key, None)
    if not index[name]:
        del index[name]


def _pod(entry: Entry) -> PodFacts:
    pod = _pod_decoder.decode(entry.body)
    metadata, annotations = pod.metadata, pod.metadata.annotations
    leaving = metadata.deletion_timestamp is not None
    return PodFacts(
        key=entry.key,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        node=pod.spec.node_name,
        owner=_controller(metadata),
        phase=pod.status.phase,
        ready=any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions),
        grace=(metadata.deletion_grace_period_seconds or 0) if leaving else None,
        gpus=sum(
            int(each.resources.requests.get(keys.GPU_RESOURCE, "0")) for each in pod.spec.containers
        ),
        stops_after=float(annotations.get(STOPS_AFTER, _STOPS_AFTER)),
        runs_for=float(annotations.get(RUNS_FOR, 0.0)),
        holds_gpus=HOLDS_GPUS in annotations,
        scheduler=pod.spec.scheduler_name,
    )


def _controller(metadata: Metadata) -> str:
    return next((owner.uid for owner in metadata.owner_references if owner.controller), "")


def _node(entry: Entry) -> NodeFacts:
    node = _node_decoder.decode(entry.body)
    capacity = node.status.allocatable
    ready = next((each.status for each in node.status.conditions if each.type == "Ready"), "")
    return NodeFacts(
        name=node.metadata.name,
        uid=node.metadata.uid,
        labels=node.metadata.labels,
        taints=node.spec.taints,
        unschedulable=node.spec.unschedulable,
        ready=ready,
        pods=int(capacity.get("pods", "110")),
        gpus=int(capacity.get(keys.GPU_RESOURCE, "0")),
    )
