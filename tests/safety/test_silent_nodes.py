"""Nodes and agents that say nothing: what is not seen is neither a fault nor its end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS, Disruption
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase
from remediator.replica import Replica
from remediator.rules.policy import Limit, Policy
from simulator import virtualtime
from simulator.api.faults import LateWatch, Match, Refuse
from tests.safety.stage import policy
from tests.safety.test_stories import Scene, minutes, staged

MOST = ("w-1", "w-2", "w-3")


def dead(**more: str) -> dict[str, object]:
    return {"kubelet-dead": {**more}}


def blind(resource: str) -> Refuse:
    """Refuse the remediator every look at all objects of a kind."""
    path = f"/{resource}"
    return Refuse(match=Match(method="GET", path=path, agent=keys.REMEDIATOR_MANAGER))


def tight() -> Policy:
    """Let no node be cordoned that is available, and one be disrupted."""
    limit = Limit(cordoned=(0,), disrupted=(1,))
    pools = tuple(replace(each, limit=limit) for each in policy().pools)
    return replace(policy(), limit=limit, pools=pools)


async def repairs(scene: Scene) -> tuple[NodeRepair, ...]:
    return (await scene.client.listing(NODE_REPAIRS)).items


async def repaired(scene: Scene) -> set[str]:
    return {each.spec.target.node for each in await repairs(scene)}


async def cordoned(scene: Scene) -> set[str]:
    nodes = (await scene.client.listing(NODES)).items
    return {each.metadata.name for each in nodes if each.spec.unschedulable}


def silent(remediator: Replica) -> set[str]:
    return {each.node for each in remediator.faults.all() if each.rule == "agent-silent"}


@virtualtime.played
async def test_a_node_whose_kubelet_died_is_cordoned_at_no_cost_and_replaced() -> None:
    async with staged() as scene:
        before = (await scene.node("w-1")).metadata.uid
        async with scene.remediator(under=tight()):
            scene.cluster.inject("w-1", dead())
            await minutes(10)
            early = await repaired(scene)
            await minutes(40)

        repair, node = await scene.repair("w-1"), await scene.node("w-1")
        assert early == set()
        assert (repair.spec.rule, repair.status.phase) == ("not-ready", Phase.RECOVERED)
        assert repair.spec.evidence[0].startswith("node.ready is 0 (status Unknown, reason")
        assert node.metadata.uid != before
        assert not node.spec.unschedulable


def lagging() -> LateWatch:
    """Bring the remediator's news of Nodes a minute late."""
    lag = timedelta(seconds=60)
    return LateWatch(lag=lag, resource=NODES.plural, agent=keys.REMEDIATOR_MANAGER)


@virtualtime.played
async def test_nodes_that_are_back_before_our_watch_says_so_are_not_cordoned() -> None:
    async with staged() as scene:
        async with scene.remediator():
            await minutes(2)
            for name in MOST:
                scene.cluster.inject(name, dead(lasts="10m20s"))
            await asyncio.sleep(10 * 60 + 10)
            with scene.cluster.api.faults.late(lagging()):
                await minutes(2)
                seen = await cordoned(scene)
            await minutes(5)

        assert seen == set()
        assert {each.status.phase for each in await repairs(scene)} == {Phase.RECOVERED}


@virtualtime.played
async def test_a_node_that_is_back_before_our_watch_says_so_is_not_disrupted() -> None:
    async with staged() as scene:
        before = (await scene.node("w-1")).metadata.uid
        closed = {"spec": {"disruption": Disruption.CLOSED}}
        opened = {"spec": {"disruption": Disruption.OPEN}}
        async with scene.remediator():
            await minutes(2)
            await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, closed)
            scene.cluster.inject("w-1", dead(lasts="15m"))
            await asyncio.sleep(15 * 60 - 10)
            waiting = await scene.repair("w-1")
            with scene.cluster.api.faults.late(lagging()):
                await asyncio.sleep(30)
                await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, opened)
                await minutes(2)
            await minutes(10)

        repair, node = await scene.repair("w-1"), await scene.node("w-1")
        assert waiting.status.phase is Phase.WAITING
        assert (repair.status.phase, repair.status.reason) == (Phase.RECOVERED, "FaultGone")
        assert node.metadata.uid == before
        assert not node.spec.unschedulable


@virtualtime.played
async def test_a_dead_node_needs_no_agent_to_be_found_and_proven_well() -> None:
    async with staged() as scene:
        async with scene.remediator():
            scene.cluster.inject("w-1", "power-loss")
            await minutes(50)

        repair = await scene.repair("w-1")
        assert (repair.spec.rule, repair.status.phase) == ("not-ready", Phase.RECOVERED)


@virtualtime.played
async def test_a_node_that_is_back_in_time_is_never_cordoned() -> None:
    async with staged() as scene:
        async with scene.remediator():
            scene.cluster.inject("w-1", dead(lasts="9m"))
            await minutes(60)

        assert await repaired(scene) == set()
        assert await cordoned(scene) == set()


@virtualtime.played
async def test_silent_agents_are_told_of_and_cost_nobody_a_node() -> None:
    async with staged() as scene, scene.remediator() as remediator:
        for name in MOST:
            scene.cluster.inject(name, "agent-silent")
        await minutes(15)
        early = silent(remediator)
        await minutes(15)

        assert early == set()
        assert silent(remediator) == set(MOST)
        assert await repaired(scene) == set()
        assert await cordoned(scene) == set()


@virtualtime.played
async def test_it_is_over_when_the_agents_speak_again() -> None:
    async with staged() as scene, scene.remediator() as remediator:
        for name in MOST:
            scene.cluster.inject(name, {"agent-silent": {"lasts": "30m"}})
        await minutes(29)
        during = silent(remediator)
        await minutes(10)

        assert during == set(MOST)
        assert silent(remediator) == set()


@virtualtime.played
async def test_agents_are_not_blamed_for_our_own_blindness() -> None:
    async with staged() as scene, scene.remediator() as remediator:
        await minutes(1)
        with scene.cluster.api.faults.active(blind(NODE_HEALTHS.plural)):
            await minutes(60)
            meanwhile = silent(remediator)
        await minutes(10)

        assert meanwhile == set()
        assert silent(remediator) == set()


@virtualtime.played
async def test_nothing_begins_while_our_watch_of_nodes_is_behind() -> None:
    async with staged() as scene, scene.remediator():
        scene.cluster.inject("w-1", dead())
        await minutes(6)
        with scene.cluster.api.faults.active(blind(NODES.plural)):
            scene.cluster.api.watches.cut(lambda call: call.kind.resource == NODES.plural)
            await minutes(30)
            meanwhile = await repaired(scene)
        await minutes(8)
        soon = await repaired(scene)
        await minutes(4)

        assert meanwhile == set()
        assert soon == set()
        assert await repaired(scene) == {"w-1"}


@virtualtime.played
async def test_where_no_agents_are_meant_to_be_none_is_missed() -> None:
    async with staged(agents=False) as scene, scene.remediator() as remediator:
        await minutes(60)

        assert silent(remediator) == set()
