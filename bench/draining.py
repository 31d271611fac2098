"""Two ways to drain a fleet in virtual time: ours, and the loop for each pod of `kubectl drain`."""

import abc
import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from bench.figures import Figures, ratio, short
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS, Metadata, Node, Pod
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, NodeRepairSpec, Phase, Rung, Target
from remediator.actions import Going, Tools
from remediator.actions.drain import Drain
from remediator.admission import Admission
from remediator.decide import eviction
from remediator.pacing import Pacing
from remediator.record import Record
from remediator.rules.policy import DrainManners
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.cluster import REMEDIATOR, REMEDIATOR_TOKEN, Cluster
from simulator.scenario import Budget, Pool, Scenario, Workload

MANAGER: Final = "bench"
POOL: Final = "bench"
_REPLICAS: Final = 22
_POLL: Final = 1.0
_REFUSED: Final = 5.0
"""How long `kubectl drain` waits after a refusal, and between two looks at a pod."""


class Way(abc.ABC):
    """One way to drain a node."""

    @abc.abstractmethod
    async def drain(self, node: str, client: Client, clock: Clock) -> None:
        """Return when the node is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours(Way):
    """The rung `drain` with all that a pass of the remediator reads and writes."""

    pacing: Pacing
    manners: DrainManners = field(default_factory=DrainManners)

    async def drain(self, node: str, client: Client, clock: Clock) -> None:
        """Pass after pass, as the remediator would."""
        made = await client.create(NODE_REPAIRS, _repair(await client.get(NODES, node)))
        record = Record(made, client=client, clock=clock, entered=_nobody)
        await record.enter(Phase.DRAINING, "", "begins")
        admission, since = Admission(client=client, clock=clock), clock()

        async def guard() -> None:
            await client.get(NODES, node)
            await admission.ledger()

        while True:
            found = await client.get(NODES, node)
            await admission.ledger()
            tools = Tools(
                client=client,
                clock=clock,
                node=found,
                provider=None,
                manners=self.manners,
                pacing=self.pacing,
                guard=guard,
                record=record.note,
            )
            progress = await Drain().run(record.repair, since, tools)
            if not isinstance(progress, Going):
                return
            await record.enter(Phase.DRAINING, "", progress.message)
            await asyncio.sleep(progress.again.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPod(Way):
    """What `kubectl drain` does: a loop for each pod, that asks by name and polls every second."""

    async def drain(self, node: str, client: Client, clock: Clock) -> None:
        """List once, and wait for each pod."""
        listing = await client.listing(PODS, fields=f"spec.nodeName={node}")
        going = [each for each in listing.items if eviction.stays(each, clock()) is None]
        await asyncio.gather(*(_evicted(each, client) for each in going))


@dataclass(slots=True, kw_only=True)
class Count:
    """What the API server was asked by whoever drained, and how many pods it let go."""

    calls: Counter[str] = field(default_factory=Counter)
    evicted: int = 0

    def hear(self, entry: AuditEntry) -> None:
        """Count a request; the control plane's own are none of ours."""
        if entry.user != REMEDIATOR.name:
            return
        part = f"/{entry.subresource}" if entry.subresource else ""
        self.calls[f"{entry.verb} {entry.resource}{part}"] += 1
        self.evicted += entry.subresource == "eviction" and entry.code == 201


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Who is drained, and how many at once; as many more stand by with room for the pods."""

    nodes: int
    pods: int
    """How many run on those that are drained."""
    at_once: int

    def smaller(self, by: int) -> "Fleet":
        """Return a fleet of the same kind with fewer nodes."""
        return Fleet(
            nodes=max(1, self.nodes // by),
            pods=max(1, self.pods // by),
            at_once=max(1, self.at_once // by),
        )

    def drained(self, begin: Callable[[Clock], Way]) -> Figures:
        """Drain every node once, in virtual time; each takes work again when it is empty.

        All are cordoned before the first is drained, so that no pod has to leave twice.
        """
        return virtualtime.run(self._drained(begin))

    async def _drained(self, begin: Callable[[Clock], Way]) -> Figures:
        clock, count = virtualtime.clock(), Count()
        way = begin(clock)
        everybody = self.nodes + self.at_once
        plan = _plan(everybody, self.pods * everybody // self.nodes)
        async with Cluster(plan, clock=clock) as cluster:
            client = cluster.client(MANAGER, token=REMEDIATOR_TOKEN)
            await Admission(client=client, clock=clock).ensure()
            cluster.api.on_request(count.hear)
            lanes, begun = asyncio.Semaphore(self.at_once), clock()

            async def one(node: str) -> None:
                async with lanes:
                    await way.drain(node, client, clock)
                    await client.merge_patch(NODES, node, {"spec": {"unschedulable": None}})

            sick = tuple(cluster.places)[: self.nodes]
            for each in sick:
                await client.merge_patch(NODES, each, {"spec": {"unschedulable": True}})
            await asyncio.gather(*map(one, sick))
            return _figures(count, clock() - begun, self.nodes)


def ours(clock: Clock) -> Way:
    """Drain as nodemend does, by the shipped manners."""
    return Ours(pacing=Pacing(clock, Random(0)))  # noqa: S311 - repeatable on purpose


def by_pod(_: Clock) -> Way:
    """Drain as `kubectl drain` does."""
    return ByPod()


def compared(one: Figures, other: Figures) -> Figures:
    """Put what one cost in relation to the other."""
    return {
        f"{name}_to_kubectls": ratio(float(str(one[name])), float(str(other[name])))
        for name in ("calls_per_pod", "minutes")
    }


def _figures(count: Count, lasted: timedelta, nodes: int) -> Figures:
    calls, minutes = count.calls.total(), lasted / timedelta(minutes=1)
    return {
        "minutes": short(minutes),
        "pods_evicted": count.evicted,
        "calls": calls,
        "calls_per_pod": short(calls / max(1, count.evicted)),
        "calls_per_node": short(calls / nodes),
        "nodes_per_minute": short(nodes / minutes),
        "by_kind": dict(sorted(count.calls.items())),
    }


def _plan(nodes: int, pods: int) -> Scenario:
    """Describe workloads of which a tenth may be away at once; their pods end in ten seconds."""
    sizes = [min(_REPLICAS, pods - start) for start in range(0, pods, _REPLICAS)]
    return Scenario(
        pools=(Pool(name=POOL, nodes=nodes, zones=("a", "b", "c")),),
        workloads=tuple(
            Workload(
                name=f"web-{number}",
                namespace=f"team-{number}",
                replicas=size,
                stops_after=timedelta(seconds=10),
                budget=Budget(max_unavailable="10%"),
            )
            for number, size in enumerate(sizes)
        ),
        agents=False,
    )


def _repair(node: Node) -> NodeRepair:
    meta = node.metadata
    spec = NodeRepairSpec(
        target=Target(node=meta.name, node_uid=meta.uid),
        rule="bench",
        mode=Mode.ENFORCE,
        ladder=(Rung(action="drain"),),
    )
    return NodeRepair(metadata=Metadata(name=f"{meta.name}-bench"), spec=spec)


async def _evicted(pod: Pod, client: Client) -> None:
    meta = pod.metadata
    while True:
        try:
            await client.evict(meta.name, namespace=meta.namespace, uid="")
            break
        except errors.BlockedError:
            await asyncio.sleep(_REFUSED)
        except errors.GoneError:
            return
    while await _is_there(pod, client):  # noqa: ASYNC110 - this is how kubectl waits
        await asyncio.sleep(_POLL)


async def _is_there(pod: Pod, client: Client) -> bool:
    meta = pod.metadata
    try:
        found = await client.get(PODS, meta.name, namespace=meta.namespace)
    except errors.GoneError:
        return False
    return found.metadata.uid == meta.uid


def _nobody(_: NodeRepair) -> None:
    """Tell nobody."""
