"""The independent observer: it counts what nodemend disrupts and writes down every broken promise.

It knows what the API server saw, and nothing of the remediator or of what the ledger admits. A node
counts as disrupted by us from the first of three things: our fence says so, one of its pods was
evicted by us, its machine was deleted, rebooted or switched off by us, be it by a program that we
sent. It counts until the Node,
maybe a new one of that name, is back: schedulable and released, or schedulable, ready and without
marks of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from nodehealth import keys
from nodehealth.fence import Hold
from simulator.promises import Broken, Violation
from simulator.sent import SentWatch
from simulator.witnessed import (
    Asked,
    LedgerChanged,
    MachineChanged,
    NodeChanged,
    NodeSeen,
    PodBound,
    Seen,
)

__all__ = ["CLUSTER", "Broken", "Disrupted", "Limits", "Observer", "Violation"]

CLUSTER: Final = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many nodes may be disrupted at once; what is not named has no limit of its own."""

    cluster: int
    pools: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    """By label, the limit of the nodes of each of its values by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disrupted:
    """A node that we disrupt."""

    pool: str
    since: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    """Its Node's labels when it was disrupted first."""
    not_uid: str = ""
    """The UID of the Node that must be another one before this is over."""
    not_boot: str = ""
    """The boot that must be over before this is."""
    felled: bool = False
    """Whether it was ready when an order of ours to its machine's owner took it down."""


@dataclass(frozen=True, slots=True)
class _Machine:
    uid: str
    reboot: str
    off: bool
    switched_off: bool


class Observer:
    """Takes in what happened and keeps count.

    Attributes:
        limits: None while nothing limits disruption.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.disrupted: dict[str, Disrupted] = {}
        self.violations: list[Violation] = []
        self.most: dict[str, int] = {}
        """The most nodes that were disrupted at once, by scope."""
        self._nodes: dict[str, NodeSeen] = {}
        """As they are, or as they were when they went."""
        # by node, the fence of its last disruption, and what the limits were when that came
        self._granted: dict[str, tuple[str, Limits | None]] = {}
        self._gone: set[str] = set()
        self._foreign: set[str] = set()
        """Nodes that somebody else has cordoned."""
        self._opened: set[str] = set()
        """Nodes whose last commit undid the cordon of somebody else; whose it was is told next."""
        self._vouched: set[str] = set()
        """Nodes whose last commit put them out of service while their machine was on."""
        self._pods: dict[str, str] = {}
        self._last_pod = ""
        """The pod that went last: the request that let it go is told of next."""
        self._machines: dict[str, _Machine] = {}
        self._ordered: dict[str, tuple[str, bool]] = {}
        """What we last asked of each machine: which reboot, and whether to be off."""
        self._deleted: set[str] = set()
        """The UIDs of the machines that we deleted."""
        self._epoch = 0
        self._sent = SentWatch(tell=self._break)

    def see(self, seen: Seen) -> None:
        """Take in one fact, in the order in which they happened."""
        match seen:
            case NodeChanged():
                self._see_node(seen)
            case PodBound():
                self._see_pod(seen)
            case MachineChanged():
                self._see_machine(seen)
            case LedgerChanged():
                self._see_ledger(seen)
            case Asked():
                self._see_request(seen)

    def count(self, scope: str = CLUSTER) -> int:
        """Return how many nodes are disrupted in the cluster, in a pool or in a domain."""
        return len(self.within(scope))

    def within(self, scope: str) -> tuple[str, ...]:
        """Return the names of the nodes that are disrupted in a scope."""
        return tuple(
            name
            for name, each in sorted(self.disrupted.items())
            if scope in {CLUSTER, f"pool {each.pool}"} or scope in _domains(each)
        )

    def _see_node(self, seen: NodeChanged) -> None:
        if seen.node is None:
            self._gone.add(seen.name)
            return
        node, before = seen.node, self._nodes.get(seen.name)
        if before is not None and before.uid != node.uid:
            before = None
        self._gone.discard(seen.name)
        self._nodes[seen.name] = node
        self._note_cordon(before, node)
        self._note_service(before, node)
        self._sent.see_node(node, seen.at)
        if node.hold is Hold.DISRUPTED:
            self._hold(node, seen.at)
        elif self._is_back(node):
            self.disrupted.pop(seen.name, None)

    def _note_cordon(self, before: NodeSeen | None, node: NodeSeen) -> None:
        self._opened.discard(node.name)
        if not node.unschedulable:
            if node.name in self._foreign and before is not None:
                self._opened.add(node.name)
            self._foreign.discard(node.name)
        elif (before is None or not before.unschedulable) and not node.marked:
            self._foreign.add(node.name)

    def _note_service(self, before: NodeSeen | None, node: NodeSeen) -> None:
        self._vouched.discard(node.name)
        was = before is not None and before.out_of_service
        if node.out_of_service and not was and self._is_on(node.name):
            self._vouched.add(node.name)

    def _is_on(self, name: str) -> bool:
        machine = self._machines.get(name)
        return machine is not None and not machine.off

    def _is_back(self, node: NodeSeen) -> bool:
        """Tell whether nobody works on a node any more: it serves again, or waits for a person."""
        disrupted = self.disrupted.get(node.name)
        if disrupted is None or node.uid == disrupted.not_uid:
            return False
        if node.hold is Hold.CORDONED and not disrupted.felled:
            return True
        if disrupted.not_boot and node.boot_id == disrupted.not_boot:
            return False
        if node.hold is Hold.CORDONED:
            return node.ready
        usable = not node.unschedulable or node.name in self._foreign
        return not node.marked and usable and (node.ready or node.hold is Hold.RELEASED)

    def _see_pod(self, seen: PodBound) -> None:
        if seen.node and seen.sent is not None:
            self._sent.see_pod(seen, seen.sent)
        if seen.node:
            self._pods[seen.key] = seen.node
            return
        node = self._nodes.get(self._pods.get(seen.key, ""))
        if node is not None and node.out_of_service and self._is_on(node.name):
            self._break(Broken.LET_GO_ON, seen.at, (node.name,), f"pod {seen.key}")
        if self._last_pod != seen.key:
            self._pods.pop(self._last_pod, None)
            self._last_pod = seen.key

    def _see_machine(self, seen: MachineChanged) -> None:
        node, before = self._nodes.get(seen.name), self._machines.get(seen.name)
        if self._sent.fells(seen) and before is not None and not before.off:
            self._begin(seen.name, seen.at, not_boot="" if node is None else node.boot_id)
        self._sent.see_machine(seen)
        known, same = self.disrupted.get(seen.name), before is not None and before.uid == seen.uid
        if known is not None and before is not None and same and before.off and not seen.off:
            self.disrupted[seen.name] = replace(known, not_boot="")  # it went down, and is back
        if seen.uid:
            machine = _Machine(seen.uid, seen.reboot, seen.off, seen.switched_off)
            self._machines[seen.name] = machine

    def _see_ledger(self, seen: LedgerChanged) -> None:
        if seen.epoch < self._epoch:
            message = f"from {self._epoch} to {seen.epoch}"
            self._break(Broken.EPOCH_FELL, seen.at, (), message)
        self._epoch = max(self._epoch, seen.epoch)
        self._sent.slots = dict(seen.slots)

    def _see_request(self, seen: Asked) -> None:
        if not seen.ours:
            self._opened.discard(seen.name)
            self._vouched.discard(seen.name)
            return
        match seen.resource, seen.subresource, seen.verb:
            case "pods", "eviction", "create":
                self._evicted(seen)
            case "pods", "", "delete" if seen.namespace == keys.REPAIR_NAMESPACE:
                return
            case "pods", "", "delete" | "deletecollection":
                node = self._pods.get(f"{seen.namespace}/{seen.name}", "")
                self._break(Broken.DELETED_POD, seen.at, (node,), f"pod {_name(seen)}")
            case "machines.simulator.nodemend.dev", "", "delete":
                self._deleted_machine(seen)
            case "machines.simulator.nodemend.dev", "", "patch" | "update":
                self._changed_machine(seen)
            case "nodes", "", "patch" | "update" | "delete":
                self._wrote_node(seen)

    def _evicted(self, seen: Asked) -> None:
        name = self._pods.get(f"{seen.namespace}/{seen.name}", "")
        node = self._nodes.get(name)
        if node is None:
            return
        if not node.unschedulable and name not in self._gone:
            self._break(Broken.EVICTED_UNCORDONED, seen.at, (name,), f"pod {_name(seen)}")
        self._begin(name, seen.at)

    def _deleted_machine(self, seen: Asked) -> None:
        machine, node = self._machines.get(seen.name), self._nodes.get(seen.name)
        if machine is None:
            return
        if machine.uid in self._deleted:
            self._break(Broken.DELETED_TWICE, seen.at, (seen.name,), f"UID {machine.uid}")
        self._deleted.add(machine.uid)
        self._check_fence(seen, node)
        self._begin(seen.name, seen.at, not_uid="" if node is None else node.uid)

    def _changed_machine(self, seen: Asked) -> None:
        machine, node = self._machines.get(seen.name), self._nodes.get(seen.name)
        if machine is None:
            return
        asked = machine.reboot, machine.switched_off
        if asked == self._ordered.get(machine.uid, ("", False)):
            return
        self._ordered[machine.uid] = asked
        self._check_fence(seen, node)
        self._begin(seen.name, seen.at, not_boot="" if node is None else node.boot_id)

    def _check_fence(self, seen: Asked, node: NodeSeen | None) -> None:
        if node is None or node.hold is not Hold.DISRUPTED:
            says = "no Node" if node is None else f"the fence says {node.slot!r}"
            self._break(Broken.UNFENCED, seen.at, (seen.name,), says)

    def _wrote_node(self, seen: Asked) -> None:
        if not seen.tested:
            self._break(Broken.UNTESTED, seen.at, (seen.name,), f"{seen.verb} without a test")
        if seen.name in self._vouched:
            self._break(Broken.OUT_OF_SERVICE_ON, seen.at, (seen.name,), "nothing proved it off")
        if seen.name in self._opened:
            self._break(Broken.UNCORDONED_FOREIGN, seen.at, (seen.name,), "it was not our cordon")

    def _hold(self, node: NodeSeen, at: datetime) -> None:
        """Count a node that is marked; a successor that is marked again was admitted long ago."""
        known = self._granted.get(node.name)
        if known is None or known[0] != node.slot:
            known = self._granted[node.name] = node.slot, self.limits
        self._begin(node.name, at, under=known[1])

    def _begin(
        self,
        name: str,
        at: datetime,
        *,
        not_uid: str = "",
        not_boot: str = "",
        under: Limits | None = None,
    ) -> None:
        known, node = self.disrupted.get(name), self._nodes.get(name)
        felled = bool(not_uid or not_boot) and node is not None and node.ready
        self.disrupted[name] = Disrupted(
            pool="" if node is None else node.pool,
            since=at if known is None else known.since,
            labels=known.labels if known is not None else {} if node is None else node.labels,
            not_uid=not_uid or ("" if known is None else known.not_uid),
            not_boot=not_boot or ("" if known is None else known.not_boot),
            felled=felled or (known is not None and known.felled),
        )
        if known is None:
            self._check_limits(name, at, under or self.limits)

    def _check_limits(self, name: str, at: datetime, limits: Limits | None) -> None:
        pool = self.disrupted[name].pool
        domains = _domains(self.disrupted[name])
        for scope, limit in (
            (CLUSTER, None if limits is None else limits.cluster),
            (f"pool {pool}", None if limits is None else limits.pools.get(pool)),
            *(
                (each, limits.labels[label])
                for each, label in domains.items()
                if limits and label in limits.labels
            ),
        ):
            nodes = self.within(scope)
            self.most[scope] = max(self.most.get(scope, 0), len(nodes))
            if limit is not None and len(nodes) > limit:
                message = f"{len(nodes)} nodes in {scope}, limit {limit}"
                self._break(Broken.LIMIT, at, nodes, message, scope=scope)

    def _break(
        self,
        broken: Broken,
        at: datetime,
        nodes: tuple[str, ...],
        message: str,
        *,
        scope: str = CLUSTER,
    ) -> None:
        self.violations.append(
            Violation(broken=broken, at=at, scope=scope, nodes=nodes, message=message)
        )


def _domains(disrupted: Disrupted) -> Mapping[str, str]:
    """Return by domain the label that it is a value of."""
    return {f"{label}={value}": label for label, value in disrupted.labels.items()}


def _name(seen: Asked) -> str:
    return f"{seen.namespace}/{seen.name}"
