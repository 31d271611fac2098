"""A fleet of an API server and objects, and the whole remediator at work on it in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from nodehealth import crds, keys
from nodehealth.health import NODE_HEALTHS, NodeHealth
from nodehealth.kube import events
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.files import Loaded
from remediator.metrics import Metrics
from remediator.replica import Replica
from remediator.sinks import Outside
from simulator import virtualtime
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.remediator.conftest import DEFINITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Nodes whose health a test writes as their agents would."""

    agent: Client
    client: Client
    """What the remediator works with."""

    async def node(self, seen: Node) -> str:
        """Create a Node, Ready or not as it was given; return its UID."""
        meta = {"name": seen.metadata.name, "labels": seen.metadata.labels}
        made = await self.agent.create(NODES, {"metadata": meta, "spec": seen.spec})
        body = {"metadata": made.metadata, "spec": made.spec, "status": seen.status}
        await self.agent.replace(NODES, body, name=seen.metadata.name, subresource="status")
        return made.metadata.uid

    async def report(self, health: NodeHealth) -> None:
        """Write a NodeHealth, whether it exists or not."""
        name = health.metadata.name
        if name not in {each.metadata.name for each in await self._healths()}:
            await self.agent.create(NODE_HEALTHS, {"metadata": {"name": name}})
        patch = {"status": health.status}
        await self.agent.merge_patch(NODE_HEALTHS, name, patch, subresource="status")

    async def repairs(self) -> list[NodeRepair]:
        """Return all repairs."""
        return list((await self.agent.listing(NODE_REPAIRS)).items)

    async def events(self) -> dict[str, str]:
        """Return what was told, by reason."""
        found = (await self.agent.listing(events.EVENTS, namespace="default")).items
        return {each.reason: each.message for each in found}

    async def _healths(self) -> tuple[NodeHealth, ...]:
        return (await self.agent.listing(NODE_HEALTHS)).items


async def fleet() -> Fleet:
    """Start an API server that knows our kinds."""
    api = ApiServer(clock=virtualtime.clock())
    agent = Client(LocalTransport(api), manager=keys.AGENT_MANAGER)
    for each in crds.DEFINITIONS:
        await agent.create(DEFINITIONS, crds.manifest(each))
    return Fleet(agent=agent, client=Client(LocalTransport(api), manager=keys.REMEDIATOR_MANAGER))


@asynccontextmanager
async def leading(
    fleet: Fleet,
    files: Loaded,
    *,
    outside: Outside | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator[Replica]:
    """Let a remediator lead for a while."""
    one = Replica(
        files,
        client=fleet.client,
        clock=virtualtime.clock(),
        random=Random(1),
        outside=outside,
        metrics=metrics,
    )
    tasks = [asyncio.create_task(each.run()) for each in one.reflectors]
    lead = asyncio.create_task(one.lead())
    try:
        yield one
    finally:
        for each in (*tasks, lead):
            each.cancel()
        await asyncio.gather(*tasks, lead, return_exceptions=True)
