"""A sick control plane is left to people, or repaired node by node where the policy says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from nodehealth import keys
from nodehealth.repair import NODE_REPAIRS, Phase
from remediator.rules.policy import Limit, Policy, Pool
from simulator import scenario, virtualtime
from simulator.cluster import Cluster
from simulator.observer import Limits
from tests.safety.stage import policy
from tests.safety.test_held_steps import HELD, relax
from tests.safety.test_stories import Scene, full, minutes
from tests.safety.witnesses.court import Court, Terms

SICK: Final = ("c-1", "c-2")
SPEC: Final = {
    "pools": [
        {"name": "w", "nodes": 4},
        {"name": "c", "nodes": 5, "labels": {keys.CONTROL_PLANE_LABEL: ""}},
    ],
    "timings": {"provision": "3m", "terminate": "2s", "join": "1s"},
}
MANY: Final = Limit(cordoned=(9,), disrupted=(9,))


@asynccontextmanager
async def staged(
    *, repaired: bool, workloads: tuple[dict[str, object], ...] = ()
) -> AsyncIterator[Scene]:
    """Stage workers beside a control plane; as many as like may be disrupted of the workers."""
    spec = {**SPEC, "workloads": list(workloads)}
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    limits = Limits(cluster=9, labels={keys.CONTROL_PLANE_LABEL: 1})
    plan = scenario.read(document, "story")
    async with Cluster(plan, clock=virtualtime.clock(), limits=limits) as cluster:
        court = Court.opened(cluster, Terms(most=9, control_plane=repaired))
        yield Scene(cluster=cluster, client=cluster.client("test"))
        assert court.breaches() == ()


def under(*, repaired: bool) -> Policy:
    pools = tuple(
        Pool(name=name, labels={keys.POOL_LABEL: name}, limit=MANY) for name in ("w", "c")
    )
    return replace(policy(), limit=MANY, pools=pools, control_plane=repaired)


@virtualtime.played
async def test_a_control_plane_is_neither_cordoned_nor_disrupted_beside_workers_that_are() -> None:
    async with staged(repaired=False) as scene:
        before = (await scene.node("c-1")).metadata.uid
        async with scene.remediator(under=under(repaired=False)):
            for name in ("c-1", "w-1"):
                scene.cluster.inject(name, full())
            await minutes(15)

        left, opened = await scene.node("c-1"), (await scene.client.listing(NODE_REPAIRS)).items

    assert (left.metadata.uid, left.spec.unschedulable) == (before, False)
    assert {each.spec.target.node: each.status.phase for each in opened} == {"w-1": Phase.RECOVERED}


@virtualtime.played
async def test_a_control_plane_that_may_be_repaired_is_repaired_one_node_at_a_time() -> None:
    async with staged(repaired=True) as scene:
        async with scene.remediator(under=under(repaired=True)):
            for name in SICK:
                scene.cluster.inject(name, full())
                await minutes(1)
            waits, meanwhile = await scene.repair("c-2"), await scene.ledger()
            await minutes(15)
        ended = {(await scene.repair(name)).status.phase for name in SICK}

    assert waits.status.phase is Phase.WAITING
    assert "the control plane" in waits.status.message
    assert meanwhile.status.slots.keys() == {"c-1"}
    assert ended == {Phase.RECOVERED}


@virtualtime.played
async def test_a_node_of_a_control_plane_that_is_left_to_people_again_gets_no_next_step() -> None:
    async with staged(repaired=True, workloads=({**HELD, "pool": "c"},)) as scene:
        before = (await scene.node("c-1")).metadata.uid
        async with scene.remediator(under=under(repaired=True)):
            scene.cluster.inject("c-1", full())
            await minutes(1)
            begun = await scene.repair("c-1")
        async with scene.remediator(under=under(repaired=False)):
            await minutes(1)
            await relax(scene)
            await minutes(15)
        held = await scene.repair("c-1")

        assert (begun.status.phase, begun.status.reason) == (Phase.DRAINING, "")
        assert (held.status.phase, held.status.reason) == (Phase.DRAINING, "ControlPlane")
        assert (await scene.node("c-1")).metadata.uid == before
