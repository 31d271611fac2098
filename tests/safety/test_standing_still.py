"""A process that stood still for minutes does nothing more to a node that was given back since."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Final

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.repair import Phase
from remediator.files import Loaded
from remediator.replica import Replica
from remediator.rules.policy import Policy
from simulator import virtualtime
from simulator.cluster import REMEDIATOR_TOKEN
from tests.safety.stage import PROVIDER, RULES, policy
from tests.safety.test_held_steps import HELD, pods, relax
from tests.safety.test_stories import Scene, full, minutes, staged

_FREE: Final = {"name": "web", "replicas": 12, "grace": 5, "stops-after": "2s"}

_LONG: Final = timedelta(minutes=10)
"""A process that stands still does not see its time go by."""


@dataclass(slots=True, kw_only=True)
class Standing(Transport):
    """Asks and hears at once, but for what is meant: there it stands still for long.

    Fields:
        inner: The way to the API server.
        asks: Before which requests it stands still.
        hears: Before which answers.
    """

    inner: Transport
    asks: Callable[[Request], bool] = lambda _: False
    hears: Callable[[Request], bool] = lambda _: False
    stands: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request and hear its answer, in time or much later."""
        await self._stand(self.asks(request))
        async with self.inner.open(request, deadline=deadline) as response:
            await self._stand(self.hears(request))
            yield response

    async def _stand(self, meant: bool) -> None:  # noqa: FBT001 - it is what was just asked
        if meant:
            self.stands.set()
            await self.goes_on.wait()


def lists_the_pods(request: Request) -> bool:
    of_node = "spec.nodeName=w-1" in request.query.get("fieldSelector", "")
    return request.method == "GET" and of_node and request.path.endswith("/pods")


def evicts(request: Request) -> bool:
    return request.path.endswith("/eviction")


def marks_the_node(request: Request) -> bool:
    return request.method == "PATCH" and request.path.endswith("/nodes/w-1")


@asynccontextmanager
async def slow(scene: Scene, under: Policy) -> AsyncIterator[Standing]:
    """Let a remediator run that stands still where it is told to."""
    inner = scene.cluster.transport(REMEDIATOR_TOKEN)
    way = Standing(inner=inner)
    client = Client(way, manager=keys.REMEDIATOR_MANAGER, random=Random(2), deadline=_LONG)
    files = Loaded(rules=RULES, policy=under, provider=PROVIDER)
    one = Replica(files, client=client, clock=virtualtime.clock(), random=Random(3))
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(each.run()) for each in one.reflectors]
    tasks.append(asyncio.create_task(one.lead()))
    try:
        yield way
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def uncordon(scene: Scene) -> None:
    change = {"spec": {"unschedulable": None}}
    await scene.client.merge_patch(NODES, "w-1", change)


async def assert_nobody_leaves(scene: Scene, way: Standing) -> None:
    """Let the process go on, with pods on the node and a repair that was given up."""
    before = await pods(scene)
    way.goes_on.set()
    await minutes(0.1)

    assert before
    assert await pods(scene) == before
    assert (await scene.repair("w-1")).status.phase is Phase.PARKED


@virtualtime.played
async def test_nobody_leaves_a_node_that_was_given_back_since_its_pods_were_listed() -> None:
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", full())
        async with slow(scene, policy()) as way:
            await minutes(1)
            way.hears = lists_the_pods
            await way.stands.wait()
            async with scene.remediator():
                await uncordon(scene)
                await minutes(5)
                await relax(scene)
            await assert_nobody_leaves(scene, way)


@virtualtime.played
async def test_nobody_else_leaves_a_node_that_was_given_back_since_the_last_one_left() -> None:
    one_by_one = policy()
    one_by_one = replace(one_by_one, drain=replace(one_by_one.drain, concurrency=1))
    async with staged(workloads=(_FREE,)) as scene:
        scene.cluster.inject("w-1", full())
        async with slow(scene, one_by_one) as way:
            way.hears = evicts
            await way.stands.wait()
            async with scene.remediator(under=one_by_one):
                await uncordon(scene)
                await minutes(5)
            await assert_nobody_leaves(scene, way)


@virtualtime.played
async def test_no_node_is_marked_whose_admission_was_given_back_since() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full(lasts="60s"))
        async with slow(scene, policy()) as way:
            way.asks = marks_the_node
            await way.stands.wait()
            await minutes(2)  # the disk is emptied meanwhile
            async with scene.remediator():
                await minutes(5)
            before = await scene.node("w-1")
            way.goes_on.set()
            await asyncio.sleep(1)
            after = await scene.node("w-1")

            assert after.spec == before.spec
            assert after.metadata.annotations == before.metadata.annotations
            assert (await scene.repair("w-1")).status.reason == "FaultGone"
