"""A drain of one node, run pass by pass at the times that a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import (
    BUDGETS,
    PODS,
    Condition,
    Node,
    NodeStatus,
    Object,
    Pod,
    Resource,
)
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairStatus, Phase
from remediator.actions import Progress, SupersededError, Tools
from remediator.actions.drain import Drain
from remediator.pacing import Pacing
from remediator.record import Record
from remediator.rules.policy import DrainManners
from simulator.api.controllers.plane import ControlPlane
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


class Crashed(Exception):  # noqa: N818 - it is what happened, and no error of ours
    """The process died."""


class Recording(Transport):
    """Carries requests on and keeps them."""

    def __init__(self, inner: Transport) -> None:
        self._inner, self.requests = inner, list[Request]()
        self.crash_at = -1
        """At which moment the process dies: an even one is before a request, an odd one after."""

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request."""
        moment = 2 * len(self.requests)
        if 0 <= self.crash_at <= moment:
            raise Crashed
        self.requests.append(request)
        async with self._inner.open(request, deadline=deadline) as response:
            if 0 <= self.crash_at <= moment + 1:
                raise Crashed
            yield response

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
        self.held = ""
        self.pacing = Pacing(self._clock)
        self.sent = Recording(LocalTransport(world.api))
        self.plane = ControlPlane(world.api)
        self.record = Record(mended, client=world.client, clock=self._clock, entered=_nobody)

    async def run(self, *, after: float, drain: Drain | None = None) -> Progress:
        """Make one pass."""
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
            claim=self._claim,
            record=self.record.note,
            team="team",
        )
        return await (drain or Drain()).run(self.record.repair, NOON, tools)

    def _clock(self) -> datetime:
        return self.now

    async def _claim(self, pods: Sequence[Pod]) -> str:
        return self.held if pods else ""

    async def _guard(self) -> None:
        if not self.guarded:
            raise SupersededError("not ours")


def _nobody(_: NodeRepair) -> None:
    """Tell nobody."""


async def leaves(client: Client, name: str) -> bool:
    """Say whether a pod was told to go, or is gone."""
    try:
        found = await client.get(PODS, name, namespace="default")
    except errors.GoneError:
        return True
    return found.metadata.deletion_timestamp is not None


async def begun(world: World, *, guarded: bool = True) -> Draining:
    """Begin to drain node n1."""
    await world.node(node("n1"))
    status = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=2)
    return Draining(world, await world.repair(repair("n1", status=status)), guarded=guarded)


async def begun_anew(before: Draining) -> Draining:
    """Go on as another replica does: from what is written down alone."""
    name = before.record.repair.metadata.name
    return Draining(before.world, await before.world.client.get(NODE_REPAIRS, name))


async def pod(
    client: Client,
    name: str,
    *,
    owner: str = "ReplicaSet",
    app: str = "web",
    ready: bool = True,
    meta: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Pod:
    """Have a pod run on the node."""
    owners = []
    if owner:
        made = await _owner(client)
        reference = {"apiVersion": "apps/v1", "kind": owner, "name": "web", "uid": made}
        owners = [{**reference, "controller": True}]
    given = {"name": name, "labels": {"app": app}, "ownerReferences": owners, **(meta or {})}
    wanted = {"nodeName": "n1", "containers": [{"name": "main", "image": "x"}], **(spec or {})}
    await client.create(PODS, {"metadata": given, "spec": wanted}, namespace="default")
    is_ready = {"type": "Ready", "status": str(ready)}
    seen = {"phase": "Running", "conditions": [is_ready], **(status or {})}
    return await client.merge_patch(
        PODS, name, {"status": seen}, namespace="default", subresource="status"
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


def silent() -> Node:
    """Make a Node whose kubelet has not been heard of since noon."""
    return _heard("Unknown", NOON)


def back(*, after: float) -> Node:
    """Make a Node whose kubelet was heard of again so many seconds after noon."""
    return _heard("True", at(after))


def _heard(status: str, since: datetime) -> Node:
    ready = Condition(type="Ready", status=status, last_transition_time=since)
    return Node(status=NodeStatus(conditions=(ready,)))


async def budget(client: Client, name: str, allowed: int = 0, app: str = "web") -> None:
    """Protect the pods of an app."""
    body = {
        "metadata": {"name": name},
        "spec": {"maxUnavailable": allowed, "selector": {"matchLabels": {"app": app}}},
    }
    await client.create(BUDGETS, body, namespace="default")


def said(progress: Progress) -> str:
    """Return what a pass said."""
    return progress.message


def obstacles(drain: Draining) -> list[tuple[str, str]]:
    """Return what stood in the way, and whose it is."""
    return [(each.what, each.owner) for each in drain.record.repair.status.obstacles]


def evicted(drain: Draining) -> list[str]:
    """Name the pods that were asked to leave."""
    return [each.name for each in drain.record.repair.status.evictions]
