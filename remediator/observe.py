"""What the API server last said of the fleet, and which nodes each scope would miss."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from nodehealth.health import NodeHealth
from nodehealth.keys import AGENT_MANAGER
from nodehealth.kube.objects import BarePod, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import maintenance, marks, plan, ready
from remediator.decide.facts import Agent, Facts, Watches
from remediator.decide.limits import Scope
from remediator.rules.policy import CLUSTER, Policy


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
        self._pool: dict[str, str] = {}
        self._ledger = RepairLedger()
        self._members: dict[str, set[str]] = {CLUSTER: set()}
        self._out: dict[str, set[str]] = {CLUSTER: set()}
        self._foreign: dict[str, dict[str, str]] = {CLUSTER: {}}
        self._hosts: dict[str, set[str]] = {}

    def use(self, policy: Policy) -> None:
        """Put every node into the pool that another policy has for it."""
        self._policy, nodes = policy, dict(self._nodes)
        self._pool, self._members, self._out = {}, {CLUSTER: set()}, {CLUSTER: set()}
        self._foreign = {CLUSTER: {}}
        for name, node in nodes.items():
            self.see_node(name, node)

    def see_node(self, name: str, node: Node | None) -> None:
        """Take in a Node, or that it is gone."""
        self._forget(name)
        if node is None:
            self._nodes.pop(name, None)
            return
        self._nodes[name] = node
        self._hosts.setdefault(node.status.node_info.system_uuid, set()).add(name)
        pool = self._policy.pool_of(node)
        self._pool[name] = pool
        who = maintenance.actor(node)
        for scope in (pool, CLUSTER):
            self._members.setdefault(scope, set()).add(name)
            if ready.is_out(node):
                self._out.setdefault(scope, set()).add(name)
            if who:
                self._foreign.setdefault(scope, {})[name] = who

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
        """Take in the ledger, and name the nodes that it holds for no repair that we know of."""
        self._ledger = ledger or RepairLedger()
        status = self._ledger.status
        repaired = {repair.spec.target.node for repair in self._open.values()}
        return frozenset((status.cordons.keys() | status.slots.keys()) - repaired)

    @property
    def ledger(self) -> RepairLedger:
        """Return the ledger as it was last seen."""
        return self._ledger

    def is_held(self, name: str) -> bool:
        """Say whether a node's fence or the ledger says that we hold it."""
        return bool(marks.held_epochs(self._nodes.get(name), self._ledger, name))

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
            node=node, health=health, heard_at=heard_at, agent=agent, watches=self._watches()
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

    def nodes(self) -> Iterable[str]:
        """Name all nodes."""
        return tuple(self._nodes)

    def scopes(self) -> Mapping[str, Scope]:
        """Return every pool and the cluster with its members and those that are out."""
        return {
            name: Scope(
                name=name,
                members=members,
                out=self._out.get(name, set()),
                foreign=self._foreign.get(name, {}),
            )
            for name, members in self._members.items()
        }

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
        if name in self._nodes:
            self._forget_host(name, self._nodes[name].status.node_info.system_uuid)
        for scope in (self._pool.pop(name, CLUSTER), CLUSTER):
            self._members[scope].discard(name)
            self._out.get(scope, set()).discard(name)
            self._foreign.get(scope, {}).pop(name, None)

    def _forget_host(self, name: str, host: str) -> None:
        names = self._hosts.get(host, set())
        names.discard(name)
        if not names:
            self._hosts.pop(host, None)


def _our_time(at: datetime, now: datetime, served: datetime | None) -> datetime:
    """Turn a time of the API server's clock into one of ours; none lies in the future."""
    return now - max((served or now) - at, timedelta())


def _is_ready(pod: BarePod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
