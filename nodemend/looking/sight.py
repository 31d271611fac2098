"""Everything that the API server says of the fleet now, read once for a person who asks."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS, NodeHealth
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import (
    BARE_PODS,
    LEASES,
    NODES,
    PODS,
    BarePod,
    Lease,
    Node,
    Pod,
    Resource,
    T,
)
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair
from remediator import competitors
from remediator.decide.facts import Watches
from remediator.observe import Fleet
from remediator.prerequisites import Prerequisites
from remediator.rules.policy import Policy

_REPLICAS: Final = f"{keys.NAME_LABEL}={keys.REMEDIATOR_MANAGER}"
_AGENTS: Final = f"{keys.NAME_LABEL}={keys.AGENT_NAME}"

_UNREADABLE: Final = "may not be read"
"""What is said of prerequisites that are not ours to see: the remediator may see them."""

_A = TypeVar("_A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen, all of it at nearly the same moment."""

    now: datetime
    """The time by the API server's clock."""
    nodes: tuple[Node, ...] = ()
    healths: tuple[NodeHealth, ...] = ()
    agents: tuple[BarePod, ...] | None = None
    """The agents' pods; unknown if they are not ours to see."""
    repairs: tuple[NodeRepair, ...] = ()
    ledger: RepairLedger | None = None
    lease: Lease | None = None
    """The leader's."""
    replicas: int | None = None
    """How many replicas of the remediator are Ready; unknown if their pods are not ours to see."""
    missing: tuple[str, ...] = ()
    """What the cluster lacks for anything to be enforced, as sentences."""
    pods: tuple[Pod, ...] = ()
    """What runs on the node that is asked about, if that is ours to see."""
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By resource, the objects by which others are told to repair nodes."""

    def fleet(self, policy: Policy) -> Fleet:
        """Return it as the remediator's cache would have it."""
        now = self.now
        watches = Watches(nodes=now, healths=now, agents=None if self.agents is None else now)
        fleet = Fleet(policy, lambda: watches)
        for node in self.nodes:
            fleet.see_node(node.metadata.name, node)
        for health in self.healths:
            fleet.see_health(health.metadata.name, health, now=now, served=now)
        for pod in self.agents or ():
            fleet.see_agent(None, pod, now=now, served=now)
        for repair in self.repairs:
            fleet.see_repair(repair.metadata.name, repair)
        fleet.see_ledger(self.ledger)
        return fleet


async def look(client: Client, clock: Clock, *, node: str = "") -> Sight:
    """Read the fleet.

    Args:
        client: The door to the API server.
        clock: The present time, if the API server does not say it.
        node: The node that is asked about; its pods are read too.

    Raises:
        nodehealth.kube.errors.KubeError: it can't be read, and a person must see to that.
    """
    nodes, healths, repairs, (ledger, lease), (replicas, agents), missing = await asyncio.gather(
        client.listing(NODES),
        _all(client, NODE_HEALTHS),
        _all(client, NODE_REPAIRS),
        asyncio.gather(
            _found(client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)),
            _shown(client.get(LEASES, keys.LEADER_LEASE, namespace=keys.NAMESPACE)),
        ),
        asyncio.gather(_pods(client, _REPLICAS), _pods(client, _AGENTS)),
        Prerequisites(client, _unrestricted).lacking(),
    )
    where = f"spec.nodeName={node}"
    pods = await _shown(client.listing(PODS, fields=where)) if node else None
    checks = await competitors.checks(client)
    return Sight(
        now=client.server_time or clock(),
        nodes=nodes.items,
        healths=healths or (),
        agents=agents,
        repairs=repairs or (),
        ledger=ledger,
        lease=lease,
        replicas=sum(map(_is_ready, replicas)) if replicas is not None else None,
        missing=tuple(each for each in missing if _UNREADABLE not in each),
        pods=pods.items if pods is not None else (),
        checks=checks,
    )


def _unrestricted(_: Mode) -> None:
    """Restrict nobody: a person only wants to know."""


async def _all(client: Client, resource: Resource[T]) -> tuple[T, ...] | None:
    """Read all objects of a kind, or nothing if the API server does not serve it."""
    listing = await _found(client.listing(resource))
    return listing.items if listing is not None else None


async def _pods(client: Client, labels: str) -> tuple[BarePod, ...] | None:
    listing = await _shown(client.listing(BARE_PODS, namespace=keys.NAMESPACE, labels=labels))
    return listing.items if listing is not None else None


async def _found(reading: Awaitable[_A]) -> _A | None:
    try:
        return await reading
    except errors.GoneError:
        return None


async def _shown(reading: Awaitable[_A]) -> _A | None:
    """Go without what is not there, and without what we may not see and can do without."""
    try:
        return await _found(reading)
    except errors.ForbiddenError:
        return None


def _is_ready(pod: BarePod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
