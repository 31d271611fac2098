"""Pods that wait are asked for now and then, and only while there is something to blame us for."""

import asyncio
from datetime import datetime

from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS
from nodehealth.repair import Evicted, NodeRepair, NodeRepairStatus
from remediator.decide.trips import Crowd
from remediator.rules.breaking import PendingPods
from remediator.unplaced import Unplaced
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.api.local import LocalTransport
from simulator.api.server import ADMIN_TOKEN, ApiServer
from tests.builders import repair

PENDING = PendingPods()


class Cluster:
    """An API server with pods for which no scheduler has a place, and one who asks for them."""

    def __init__(self, token: str = ADMIN_TOKEN) -> None:
        self.clock = virtualtime.clock()
        self.asked = list[AuditEntry]()
        api = ApiServer(clock=self.clock)
        self._client = Client(LocalTransport(api), manager="test")
        client = Client(LocalTransport(api, token), manager="asking")
        self.unplaced = Unplaced(client, self.clock)
        api.on_request(self.asked.append)

    async def pod(self, name: str, node: str = "") -> None:
        """Create a pod that a ReplicaSet has made, and that is on a node or fits nowhere."""
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u"}
        metadata = {"name": name, "ownerReferences": [{**owner, "controller": True}]}
        spec = {"containers": [{"name": "main", "image": "x"}]}
        body = {"metadata": metadata, "spec": {**spec, **({"nodeName": node} if node else {})}}
        await self._client.create(PODS, body, namespace="default")
        why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        status = {"status": {"phase": "Pending", "conditions": [] if node else [why]}}
        await self._client.merge_patch(
            PODS, name, status, namespace="default", subresource="status"
        )

    async def look(self, *repairs: NodeRepair, pending: PendingPods | None = PENDING) -> Crowd:
        """Ask, if it is time to."""
        await self.unplaced.look(repairs, pending, self.clock())
        return self.unplaced.known

    def listings(self) -> int:
        """Count how often pods were asked for."""
        return sum(each.verb == "list" for each in self.asked)


def drained(at: datetime) -> NodeRepair:
    pod = Evicted(namespace="default", name="w", uid="w", at=at, owner="ReplicaSet/web")
    return repair("n1", status=NodeRepairStatus(evictions=(pod,)))


@virtualtime.played
async def test_pods_that_fit_nowhere_are_counted_and_asked_for_once_a_minute() -> None:
    cluster = Cluster()
    drain = drained(cluster.clock())
    await cluster.pod("w-1")
    await cluster.pod("w-2", node="n1")

    first = await cluster.look(drain)
    await cluster.pod("w-3")
    await asyncio.sleep(30)
    soon, asked = await cluster.look(drain), cluster.listings()
    await asyncio.sleep(30)
    later = await cluster.look(drain)

    assert (first, soon, later) == (Crowd(all=1, amiss=1), first, Crowd(all=1, amiss=2))
    assert (asked, cluster.listings()) == (1, 2)


@virtualtime.played
async def test_while_nothing_was_evicted_lately_or_nobody_wants_to_know_nobody_is_asked() -> None:
    cluster = Cluster()
    drain = drained(cluster.clock())
    await cluster.pod("w-1")

    unwanted, undrained = await cluster.look(drain, pending=None), await cluster.look()
    asked, before = cluster.listings(), await cluster.look(drain)
    await asyncio.sleep(PENDING.within.total_seconds())
    after = await cluster.look(drain)

    assert (unwanted, undrained, after, asked) == (Crowd(), Crowd(), Crowd(), 0)
    assert (before.amiss, cluster.listings()) == (1, 1)


@virtualtime.played
async def test_who_gets_no_answer_goes_by_the_last_one_and_breaks_nothing() -> None:
    cluster = Cluster(token="no such token")
    await cluster.pod("w-1")

    assert await cluster.look(drained(cluster.clock())) == Crowd()
