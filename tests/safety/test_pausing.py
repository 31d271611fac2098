"""What people hold back is not begun, what is under way is brought to its end, and all goes on."""

import asyncio
from datetime import timedelta

import pytest

from nodehealth import keys
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import Phase
from simulator import virtualtime
from tests.safety.test_held_steps import HELD, relax
from tests.safety.test_stories import Scene, full, minutes, staged


async def pause(scene: Scene, name: str = "net", **said: object) -> None:
    await _write(scene, {name: {"reason": "cables", **said}})


async def resume(scene: Scene, name: str = "net") -> None:
    await _write(scene, {name: None})


async def _write(scene: Scene, pauses: dict[str, object]) -> None:
    body = {"spec": {"pauses": pauses}}
    await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, body)


@virtualtime.played
async def test_a_pause_begins_nothing_and_says_so_until_it_is_taken_away() -> None:
    async with staged() as scene, scene.remediator():
        await asyncio.sleep(5)
        await pause(scene, by="ann")
        scene.cluster.inject("w-1", full())
        await minutes(5)
        held, node = await scene.repair("w-1"), await scene.node("w-1")
        await resume(scene)
        await asyncio.sleep(3)
        cordoned = await scene.node("w-1")
        await minutes(10)
        after = await scene.repair("w-1")

    assert (held.status.phase, held.status.reason) == (Phase.CONFIRMED, "Paused")
    assert held.status.message == "pause net by ann holds the cluster: cables"
    assert not node.spec.unschedulable
    assert cordoned.spec.unschedulable
    assert after.status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_pause_that_ends_by_itself_lets_go_at_once() -> None:
    async with staged() as scene, scene.remediator():
        await asyncio.sleep(5)
        scene.cluster.inject("w-1", full())
        await pause(scene, until=virtualtime.clock()() + timedelta(seconds=100))
        await asyncio.sleep(98)
        held = await scene.repair("w-1")
        await asyncio.sleep(5)
        after = await scene.repair("w-1")

    assert held.status.reason == "Paused"
    assert after.status.phase not in {Phase.CONFIRMED, Phase.RECOVERED}


@virtualtime.played
async def test_one_pool_goes_on_while_another_is_paused() -> None:
    async with staged() as scene, scene.remediator():
        await asyncio.sleep(5)
        await pause(scene, pool="other")
        await pause(scene, "one", node="w-2")
        for name in ("w-2", "w-1"):
            scene.cluster.inject(name, full())
            await asyncio.sleep(1)
        await minutes(10)
        held, mended = await scene.repair("w-2"), await scene.repair("w-1")

    assert held.status.reason == "Paused"
    assert mended.status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_node_that_people_look_after_is_given_back_and_repaired_when_they_are_done() -> (
    None
):
    async with staged() as scene, scene.remediator():
        await asyncio.sleep(5)
        await pause(scene, pool="w")
        scene.cluster.inject("w-1", full())
        await asyncio.sleep(30)
        await _label(scene, "w-1", "firmware-test")
        await resume(scene)
        await asyncio.sleep(30)
        skipped = await scene.repair("w-1")
        await _label(scene, "w-1", None)
        await minutes(10)
        repairs = [await scene.repair("w-1")]

    assert (skipped.status.phase, skipped.status.reason) == (Phase.RECOVERED, "Skipped")
    assert [each.status.phase for each in repairs] == [Phase.RECOVERED]
    assert repairs[0].metadata.name != skipped.metadata.name


async def _label(scene: Scene, node: str, value: str | None) -> None:
    await scene.client.merge_patch(NODES, node, {"metadata": {"labels": {keys.SKIP: value}}})


@pytest.mark.parametrize("key", [keys.SKIP, keys.PAUSE])
@virtualtime.played
async def test_a_node_that_says_so_for_long_is_not_even_cordoned_until_it_says_so_no_more(
    key: str,
) -> None:
    async with staged() as scene, scene.remediator():
        await _write_on(scene, key, "ann looks into it")
        await minutes(3)
        scene.cluster.inject("w-1", full())
        await minutes(5)
        held = await scene.node("w-1")
        await _write_on(scene, key, None)
        await minutes(10)
        after = await scene.repair("w-1")

    assert not held.spec.unschedulable
    assert after.status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_node_that_is_paused_while_it_is_drained_gets_no_next_step() -> None:
    async with staged(workloads=(HELD,)) as scene, scene.remediator():
        scene.cluster.inject("w-1", full())
        await minutes(1)
        await _write_on(scene, keys.PAUSE, "ann looks into it")
        await minutes(3)
        await relax(scene)
        await minutes(10)
        held = await scene.repair("w-1")
        await _write_on(scene, keys.PAUSE, None)
        await minutes(10)
        after = await scene.repair("w-1")

    assert (held.status.phase, held.status.reason) == (Phase.DRAINING, "Paused")
    assert after.status.phase is Phase.RECOVERED


async def _write_on(scene: Scene, key: str, value: str | None) -> None:
    await scene.client.merge_patch(NODES, "w-1", {"metadata": {"annotations": {key: value}}})
