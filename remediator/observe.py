"""What the API server last said of the fleet, and which nodes each scope would miss."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nodehealth.fence import Hold
from nodehealth.health import NodeHealth, NodeHealthStatus
from nodehealth.keys import AGENT_MANAGER, ZONE_LABEL
from nodehealth.kube.objects import BarePod, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import boots, maintenance, marks, odds, plan, ready
from remediator.decide.counting import Scope
from remediator.decide.facts import BLIND_AFTER, STALE_REFRESHES, Agent, Facts, Watches
from remediator.decide.scopes import Scopes
from remediator.decide.silence import LATE
from remediator.rules.policy import CLUSTER, Policy, is_domain


class Fleet:
    """A cache that may be stale: everything that matters is read again before a deed.

    Every change costs the same, however many nodes there are.

    Args:
        policy: Which node belongs to which pool.
        watches: Says until when our watches have told us everything.
    """

    def __init__(self, policy: Policy, watches: Callable[[], Watches] = Watches) -> None:
        self._policy, self._watches = policy, watches
        self._nodes: dict[str, Node] = {}
        self._healths: dict[str, tuple[NodeHealth, datetime]] = {}
        self._agents: dict[str, dict[str, Agent]] = {}
        self._repairs: dict[str, NodeRepair] = {}
        self._by_node: dict[str, dict[str, NodeRepair]] = {}
        self._open: dict[str, NodeRepair] = {}
        self._ledger = RepairLedger()
        self._crowds: dict[str, _Crowd] = {}
        self._scopes: dict[str, Scope] = {}
        self._places: dict[str, tuple[str, ...]] = {}
        self._crowd(CLUSTER)
        self._hosts: dict[str, set[str]] = {}
        self._unready: set[str] = set()
        self._zones: dict[str, set[str]] = {}

    def use(self, policy: Policy) -> None:
        """Put every node into the pool and the domains that another policy has for it."""
        self._policy = policy
        for name, node in tuple(self._nodes.items()):
            self.see_node(name, node)
        for scope in [name for name, crowd in self._crowds.items() if not crowd.members]:
            if scope != CLUSTER:
                del self._crowds[scope], self._scopes[scope]

    def see_node(self, name: str, node: Node | None) -> None:
        """Take in a Node, or that it is gone."""
        self._forget(name)
        if node is None:
            self._nodes.pop(name, None)
            return
        self._nodes[name] = node
        self._hosts.setdefault(node.status.node_info.system_uuid, set()).add(name)
        places = self._policy.scopes_of(node)
        self._places[name] = places
        if not ready.is_ready(node):
            self._unready.add(name)
        self._zones.setdefault(zone_of(node), set()).add(name)
        out, who = ready.is_out(node), maintenance.actor(node)
        for scope in (*places, CLUSTER):
            self._crowd(scope).take_in(name, out=out, who=who)

    def see_health(
        self, name: str, health: NodeHealth | None, *, now: datetime, served: datetime | None
    ) -> None:
        """Take in a NodeHealth; how old it is, only the API server's clock says.

        Args:
            name: The node's name.
            health: What is known of it, if anything.
            now: The time by our clock.
            served: The time by the API server's clock.
        """
        if health is None:
            self._healths.pop(name, None)
            return
        fields = health.metadata.managed_fields
        written = [each.time for each in fields if each.time and each.manager == AGENT_MANAGER]
        self._healths[name] = health, _our_time(max(written), now, served) if written else now

    def see_agent(
        self, before: BarePod | None, pod: BarePod | None, *, now: datetime, served: datetime | None
    ) -> str:
        """Take in what became of an agent's pod, and name the node that it is about, if any.

        Args:
            before: The pod as it was, if it was there.
            pod: The pod as it is, if it is there.
            now: The time by our clock.
            served: The time by the API server's clock.
        """
        if before is not None:
            self._forget_agent(before)
        if pod is not None and pod.spec.node_name:
            made = pod.metadata.creation_timestamp
            since = _our_time(made, now, served) if made is not None else now
            agent = Agent(ready=_is_ready(pod), since=since)
            self._agents.setdefault(pod.spec.node_name, {})[pod.metadata.name] = agent
        known = pod or before
        return known.spec.node_name if known is not None else ""

    def see_repair(self, name: str, repair: NodeRepair | None) -> None:
        """Take in a NodeRepair, or that it is gone."""
        before = self._repairs.pop(name, None)
        self._open.pop(name, None)
        if before is not None:
            self._forget_repair(name, before.spec.target.node)
        if repair is None:
            return
        self._repairs[name] = repair
        self._by_node.setdefault(repair.spec.target.node, {})[name] = repair
        if plan.is_open(repair):
            self._open[name] = repair

    def see_ledger(self, ledger: RepairLedger | None) -> frozenset[str]:
        """Take in the ledger, and name the nodes that it holds for no repair, or not for its own.

        Of a ledger that is gone, or that is older than the one before, nothing is known of any.
        """
        before, self._ledger = self._ledger.status, ledger or RepairLedger()
        status = self._ledger.status
        if status.epoch < before.epoch:
            return frozenset(self._nodes)
        mine = filter(plan.may_hold, self._open.values())
        repaired = {repair.spec.target.node for repair in mine}
        odd = {name for name in repaired if self.is_doubtful(name)}
        return frozenset((status.cordons.keys() | status.slots.keys()) - repaired | odd)

    def is_doubtful(self, name: str) -> bool:
        """Say whether the ledger seems to lack what a node's fence or its repairs say."""
        repairs = self._by_node.get(name, {}).values()
        return odds.suspected(self._ledger.status, self._nodes.get(name), repairs)

    @property
    def ledger(self) -> RepairLedger:
        """Return the ledger as it was last seen."""
        return self._ledger

    def is_held(self, name: str) -> bool:
        """Say whether a node's fence or the ledger says that we hold it."""
        return bool(marks.held_epochs(self._nodes.get(name), self._ledger, name))

    def is_disrupted(self, name: str) -> bool:
        """Say whether a node's fence or the ledger says that we disrupt it."""
        node = self._nodes.get(name)
        fence = marks.fence_of(node) if node is not None else None
        fenced = fence is not None and fence.hold is Hold.DISRUPTED
        return fenced or name in self._ledger.status.slots

    def has_twin(self, name: str) -> bool:
        """Say whether another node says that it is on the same host, as boards of one batch may."""
        node = self._nodes.get(name)
        return node is not None and len(self._hosts[node.status.node_info.system_uuid]) > 1

    def is_known(self, name: str) -> bool:
        """Say whether anything is left of a node: itself, a repair of it, or a hold on it."""
        return name in self._nodes or name in self._by_node or self.is_held(name)

    def facts(self, name: str) -> Facts | None:
        """Return what is known of a node, if there is one."""
        node = self._nodes.get(name)
        if node is None:
            return None
        health, heard_at = self._healths.get(name, (None, None))
        pods = self._agents.get(name, {}).values()
        agent = max(pods, key=lambda each: each.since, default=None)
        return Facts(
            node=node,
            health=health,
            heard_at=heard_at,
            agent=agent,
            watches=self._watches(),
            ordered=boots.by_us(self._by_node.get(name, {}).values()),
        )

    def repairs_of(self, node: str) -> tuple[NodeRepair, ...]:
        """Return all repairs of a node, ended ones too."""
        return tuple(self._by_node.get(node, {}).values())

    def repairs(self) -> tuple[NodeRepair, ...]:
        """Return all repairs, ended ones too."""
        return tuple(self._repairs.values())

    def open_repairs(self) -> tuple[NodeRepair, ...]:
        """Return the repairs that have not ended."""
        return tuple(self._open.values())

    def node(self, name: str) -> Node | None:
        """Return a Node, if there is one."""
        return self._nodes.get(name)

    def reported(self, name: str) -> NodeHealthStatus:
        """Return what an agent reported last of a node."""
        health, _ = self._healths.get(name, (None, None))
        return health.status if health is not None else NodeHealthStatus()

    def unready(self) -> Iterable[str]:
        """Name the nodes that are not Ready."""
        return tuple(self._unready)

    def zones(self) -> Mapping[str, AbstractSet[str]]:
        """Return the nodes of every zone; those of no zone are in none."""
        return {zone: nodes for zone, nodes in self._zones.items() if zone}

    def agents(self, now: datetime, names: Iterable[str]) -> tuple[int, int]:
        """Count the agents that reported once on nodes that are Ready, and those of them silent.

        None is counted while our watch may be behind.
        """
        told = self._watches().healths
        if told is None or now - told > BLIND_AFTER:
            return 0, 0
        known = (self._healths.get(name) for name in names if name not in self._unready)
        found = [
            now - each[1] > _refresh(each[0]) * STALE_REFRESHES + LATE for each in known if each
        ]
        return len(found), sum(found)

    def nodes(self) -> Iterable[str]:
        """Name all nodes."""
        return tuple(self._nodes)

    def all_nodes(self) -> Iterable[Node]:
        """Return all nodes."""
        return tuple(self._nodes.values())

    def scopes(self) -> Scopes:
        """Return every pool, every domain and the cluster, as they are whenever they are looked at.

        They cost nothing: there may be thousands.
        """
        return Scopes(self._scopes, self._places)

    def _crowd(self, scope: str) -> "_Crowd":
        if scope not in self._crowds:
            crowd = self._crowds[scope] = _Crowd()
            self._scopes[scope] = Scope(
                name=scope,
                members=crowd.members,
                out=crowd.out,
                foreign=crowd.foreign,
                parts=self._scopes if scope == CLUSTER else {},
            )
        return self._crowds[scope]

    def _forget_repair(self, name: str, node: str) -> None:
        self._by_node[node].pop(name, None)
        if not self._by_node[node]:
            del self._by_node[node]

    def _forget_agent(self, pod: BarePod) -> None:
        pods = self._agents.get(pod.spec.node_name, {})
        pods.pop(pod.metadata.name, None)
        if not pods:
            self._agents.pop(pod.spec.node_name, None)

    def _forget(self, name: str) -> None:
        self._unready.discard(name)
        if name in self._nodes:
            self._forget_zone(name, zone_of(self._nodes[name]))
            self._forget_host(name, self._nodes[name].status.node_info.system_uuid)
        for scope in (*self._places.pop(name, ()), CLUSTER):
            self._crowds[scope].leave_out(name)
            if is_domain(scope) and not self._crowds[scope].members:
                del self._crowds[scope], self._scopes[scope]

    def _forget_zone(self, name: str, zone: str) -> None:
        self._zones[zone].discard(name)
        if not self._zones[zone]:
            del self._zones[zone]

    def _forget_host(self, name: str, host: str) -> None:
        names = self._hosts.get(host, set())
        names.discard(name)
        if not names:
            self._hosts.pop(host, None)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """The nodes of a scope, as they come and go."""

    members: set[str] = field(default_factory=set)
    out: set[str] = field(default_factory=set)
    foreign: dict[str, str] = field(default_factory=dict)

    def take_in(self, name: str, *, out: bool, who: str) -> None:
        self.members.add(name)
        if out:
            self.out.add(name)
        if who:
            self.foreign[name] = who

    def leave_out(self, name: str) -> None:
        self.members.discard(name)
        self.out.discard(name)
        self.foreign.pop(name, None)


def _refresh(health: NodeHealth) -> timedelta:
    return timedelta(seconds=health.status.refresh_seconds)


def zone_of(node: Node) -> str:
    """Name the zone of a Node; nothing where it says none."""
    return node.metadata.labels.get(ZONE_LABEL, "")


def _our_time(at: datetime, now: datetime, served: datetime | None) -> datetime:
    """Turn a time of the API server's clock into one of ours; none lies in the future."""
    return now - max((served or now) - at, timedelta())


def _is_ready(pod: BarePod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
