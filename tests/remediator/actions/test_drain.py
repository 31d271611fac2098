"""A drain asks, waits, says what it waits for, and gives up at its deadline."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import pytest

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import (
    BUDGETS,
    PODS,
    Condition,
    Node,
    NodeStatus,
    Object,
    Resource,
)
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairStatus, Phase
from remediator.actions import Done, Failed, Going, Progress, Stranded, SupersededError, Tools
from remediator.actions.drain import Drain
from remediator.pacing import Pacing
from remediator.record import Record
from remediator.rules.policy import DrainManners
from simulator.api.controllers.plane import ControlPlane
from simulator.api.faults import Match, Refuse
from simulator.api.local import LocalTransport
from tests.builders import NOON, at, node, repair
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]

SETS = Resource(
    group="apps",
    version="v1",
    plural="replicasets",
    kind="ReplicaSet",
    namespaced=True,
    type=Object,
)


class Recording(Transport):
    """Carries requests on and keeps them."""

    def __init__(self, inner: Transport) -> None:
        self._inner, self.requests = inner, list[Request]()

    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Send a request."""
        self.requests.append(request)
        return self._inner.open(request, deadline=deadline)

    def evictions(self) -> int:
        """Count the evictions that were asked for."""
        return sum(each.path.endswith("/eviction") for each in self.requests)

    def listings(self) -> list[str]:
        """Return as of when each list of pods was read: `0` means from the cache."""
        lists = [each for each in self.requests if each.path == "/api/v1/pods"]
        return [each.query.get("resourceVersion", "") for each in lists]


class Draining:
    """One drain of node n1, run pass by pass at the times that the test says."""

    def __init__(self, world: World, mended: NodeRepair, *, guarded: bool = True) -> None:
        self.world, self.now, self.guarded = world, NOON, guarded
        self.node: Node | None = None
        self.pacing = Pacing(self._clock)
        self.sent = Recording(LocalTransport(world.api))
        self.plane = ControlPlane(world.api)
        self.record = Record(mended, client=world.client, clock=self._clock, tell=_nobody)

    async def run(self, *, after: float, drain: Drain | None = None) -> Progress:
        self.now = at(after)
        self.plane.settle()
        manners = DrainManners(settle=timedelta(seconds=5), again=timedelta(seconds=2))
        tools = Tools(
            client=Client(self.sent, manager="test"),
            clock=self._clock,
            node=self.node,
            provider=None,
            manners=manners,
            pacing=self.pacing,
            guard=self._guard,
            record=self.record.note,
        )
        return await (drain or Drain()).run(self.record.repair, NOON, tools)

    def _clock(self) -> datetime:
        return self.now

    async def _guard(self) -> None:
        if not self.guarded:
            raise SupersededError("not ours")


async def _nobody(_: NodeRepair) -> None:
    """Tell nobody."""


async def begun(world: World, *, guarded: bool = True) -> Draining:
    await world.node(node("n1"))
    status = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=2)
    return Draining(world, await world.repair(repair("n1", status=status)), guarded=guarded)


async def pod(client: Client, name: str, *, owner: str = "ReplicaSet", app: str = "web") -> None:
    owners = []
    if owner:
        made = await _owner(client)
        reference = {"apiVersion": "apps/v1", "kind": owner, "name": "web", "uid": made}
        owners = [{**reference, "controller": True}]
    meta = {"name": name, "labels": {"app": app}, "ownerReferences": owners}
    spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "x"}]}
    await client.create(PODS, {"metadata": meta, "spec": spec}, namespace="default")
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await client.merge_patch(
        PODS, name, {"status": ready}, namespace="default", subresource="status"
    )


async def _owner(client: Client) -> str:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "replicas": 9}
    try:
        made = await client.create(
            SETS, {"metadata": {"name": "web"}, "spec": spec}, namespace="default"
        )
    except errors.ConflictError:
        made = await client.get(SETS, "web", namespace="default")
    return made.metadata.uid


async def gone(client: Client, name: str) -> None:
    """Do what the kubelet does when a pod's containers have ended."""
    await client.delete(PODS, name, namespace="default", grace_seconds=0)


async def test_an_empty_node_is_drained_once_it_was_empty_twice_and_settled(
    world: MakeWorld,
) -> None:
    drain = await begun(await world())

    first = await drain.run(after=1)
    early = await drain.run(after=4)
    last = await drain.run(after=5)

    assert isinstance(first, Going)
    assert first.again == timedelta(seconds=4)
    assert isinstance(early, Going)
    assert last == Done(message="0 pods left the node")


async def test_pods_are_evicted_and_recorded_with_their_owner(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")

    asked = await drain.run(after=1)
    waiting = await drain.run(after=3)
    await gone(here.client, "web-1")
    await drain.run(after=6)
    last = await drain.run(after=8)

    assert asked == Going(message="1 pod leaving", again=timedelta(seconds=2))
    assert waiting == asked
    assert last == Done(message="1 pod left the node")
    stored = await here.client.get(NODE_REPAIRS, "n1-repair")
    assert [(each.name, each.owner) for each in stored.status.evictions] == [
        ("web-1", "ReplicaSet/web")
    ]


async def test_a_budget_that_allows_nothing_is_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    budget = {
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }
    await here.client.create(BUDGETS, budget, namespace="default")

    blocked = await drain.run(after=1)

    assert isinstance(blocked, Going)
    assert blocked.message.startswith("1 pod may not leave, default/web-1 because The disruption")
    assert (await here.client.get(PODS, "web-1", namespace="default")).metadata.name == "web-1"


async def test_a_pod_without_a_controller_is_not_evicted_and_is_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "alone", owner="")

    held = await drain.run(after=1)

    assert isinstance(held, Going)
    assert held.message == "1 pod without a controller, such as default/alone"
    seen = await here.client.get(PODS, "alone", namespace="default")
    assert seen.metadata.deletion_timestamp is None


async def test_at_the_deadline_the_drain_has_failed_and_says_what_was_left(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "alone", owner="")

    late = await drain.run(after=60, drain=Drain(deadline=timedelta(minutes=1)))

    assert late == Failed(message="after 1m: 1 pod without a controller, such as default/alone")


async def test_without_the_right_to_disrupt_nothing_is_evicted(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here, guarded=False)
    await pod(here.client, "web-1")

    with pytest.raises(SupersededError):
        await drain.run(after=1)

    seen = await here.client.get(PODS, "web-1", namespace="default")
    assert seen.metadata.deletion_timestamp is None


def silent() -> Node:
    ready = Condition(type="Ready", status="Unknown", last_transition_time=NOON)
    return Node(status=NodeStatus(conditions=(ready,)))


async def test_on_a_silent_node_pods_that_do_not_end_leave_the_drain_stranded(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "web-1")

    asked = await drain.run(after=1)
    early = await drain.run(after=119)
    late = await drain.run(after=120, drain=Drain(deadline=timedelta(minutes=2)))

    assert isinstance(asked, Going)
    assert isinstance(early, Going)
    assert isinstance(late, Stranded)
    assert late.message == "the kubelet is silent, so nothing ends what is left: 1 pod"


async def test_a_silent_node_with_a_pod_that_may_not_leave_is_not_stranded(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "alone", owner="")

    assert isinstance(await drain.run(after=1000), Going)


async def budget(client: Client, name: str, allowed: int = 0) -> None:
    body = {
        "metadata": {"name": name},
        "spec": {"maxUnavailable": allowed, "selector": {"matchLabels": {"app": "web"}}},
    }
    await client.create(BUDGETS, body, namespace="default")


async def test_a_pod_that_may_not_leave_is_left_alone_for_a_while(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web")

    first = await drain.run(after=1)
    soon = await drain.run(after=2)
    once = drain.sent.evictions()
    await drain.run(after=3)

    assert first == soon
    assert (once, drain.sent.evictions()) == (1, 2)


async def test_a_pause_that_the_server_asks_for_is_kept(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    overload = Refuse(
        match=Match(path="/eviction"), code=429, reason="TooManyRequests", retry_after=20, times=1
    )

    with here.api.faults.active(overload):
        for seconds in (1, 5, 20):
            blocked = await drain.run(after=seconds)
    freed = await drain.run(after=21)

    assert isinstance(blocked, Going)
    assert "may not leave" in blocked.message
    assert freed == Going(message="1 pod leaving", again=timedelta(seconds=2))


async def test_budgets_that_contradict_each_other_are_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web")
    await budget(here.client, "all")

    blocked = await drain.run(after=1)

    assert isinstance(blocked, Going)
    assert blocked.message == (
        "1 pod may not leave, default/web-1 because more than one disruption budget selects it "
        "(all and web): their owner must leave one"
    )


async def test_what_ends_a_drain_is_read_by_quorum_and_the_rest_from_the_cache(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")

    await drain.run(after=1)
    going = drain.sent.listings()
    await gone(here.client, "web-1")
    await drain.run(after=6)

    assert going == ["0"]
    assert drain.sent.listings()[1:] == ["0", ""]
