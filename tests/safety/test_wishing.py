"""What people want of a repair comes true once, whoever dies on the way, and breaks no promise."""

import asyncio
from collections.abc import Iterable
from random import Random

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase, Wish
from simulator import virtualtime
from simulator.cluster import Cluster
from tests.safety import stage, trials
from tests.safety.peril import Crash
from tests.safety.stage import Case
from tests.safety.test_crashes import assert_all_is_well
from tests.safety.test_stories import Scene, full, minutes, staged

MOST_WRITES = 50
OF_REPAIRS = ("noderepairs", "repairledgers", "/nodes/")
STUBBORN = (
    {
        "name": "web",
        "replicas": 8,
        "grace": 30,
        "stops-after": "20s",
        "budget": {"max-unavailable": 1},
    },
)


async def ask(client: Client, repair: NodeRepair, what: Wish) -> None:
    wish = {"what": what, "by": "ann", "at": virtualtime.clock()()}
    await client.merge_patch(NODE_REPAIRS, repair.metadata.name, {"spec": {"request": wish}})


async def until(client: Client, node: str, *phases: Phase) -> NodeRepair:
    """Wait for the newest repair of a node to come into one of these phases."""
    seen = None
    for _ in range(600):
        found = [
            e for e in (await client.listing(NODE_REPAIRS)).items if e.spec.target.node == node
        ]
        seen = max(found, key=lambda each: each.metadata.name, default=None)
        if seen is not None and seen.status.phase in phases:
            return seen
        await asyncio.sleep(0.5)
    raise TimeoutError(f"{seen} never came into {phases}")


@virtualtime.played
async def test_a_pause_in_the_middle_of_a_drain_evicts_nobody_more_and_the_node_is_given_back() -> (
    None
):
    async with staged(workloads=STUBBORN) as scene, scene.remediator():
        await asyncio.sleep(5)
        scene.cluster.inject("w-1", full(lasts="4m"))
        await until(scene.client, "w-1", Phase.DRAINING)
        await asyncio.sleep(15)
        await _pause(scene)
        await minutes(1)
        before = await scene.repair("w-1")
        await minutes(2)
        held = await scene.repair("w-1")
        await ask(scene.client, held, Wish.RELEASE)
        await asyncio.sleep(5)
        after, node = await scene.repair("w-1"), await scene.node("w-1")

    assert held.status.phase is Phase.DRAINING
    assert held.status.reason == "Paused"
    assert len(held.status.evictions) == len(before.status.evictions)
    assert after.status.phase is Phase.PARKED
    assert not node.spec.unschedulable


async def _pause(scene: Scene) -> None:
    body = {"spec": {"pauses": {"net": {"reason": "cables"}}}}
    await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, body)


@virtualtime.played
async def test_what_was_cancelled_is_not_begun_again_for_the_same_fault_but_for_the_next() -> None:
    async with staged(workloads=STUBBORN) as scene, scene.remediator():
        await asyncio.sleep(5)
        scene.cluster.inject("w-1", full(lasts="20m"))
        first = await until(scene.client, "w-1", Phase.DRAINING)
        await ask(scene.client, first, Wish.CANCEL)
        await minutes(10)
        still, node, ledger = (
            await scene.repair("w-1"),
            await scene.node("w-1"),
            await scene.ledger(),
        )
        await minutes(15)
        over = await scene.repair("w-1")
        scene.cluster.inject("w-1", full())
        await asyncio.sleep(60)
        again = await scene.repair("w-1")

    assert (still.metadata.name, still.status.phase) == (first.metadata.name, Phase.PARKED)
    assert still.status.reason == "Cancelled"
    assert not node.spec.unschedulable
    assert (ledger.status.slots, ledger.status.cordons) == ({}, {})
    assert over.status.phase is Phase.RECOVERED
    assert again.metadata.name != first.metadata.name


@virtualtime.played
async def test_a_cordon_that_comes_after_its_node_was_let_go_of_is_taken_off_again() -> None:
    unknown = frozenset({"S2"})  # no ledger has what came so late
    async with staged(workloads=STUBBORN, pardoned=unknown) as scene, scene.remediator():
        await asyncio.sleep(5)
        scene.cluster.inject("w-1", full())
        began = await until(scene.client, "w-1", Phase.DRAINING)
        await ask(scene.client, began, Wish.RELEASE)
        await until(scene.client, "w-1", Phase.PARKED)
        late = {
            "metadata": {"annotations": {keys.FENCE_ANNOTATION: "1:cordoned"}},
            "spec": {
                "unschedulable": True,
                "taints": [{"key": keys.REPAIR_TAINT, "effect": "NoSchedule"}],
            },
        }
        await scene.client.merge_patch(NODES, "w-1", late)
        await minutes(2)
        after, node = await scene.repair("w-1"), await scene.node("w-1")

    assert after.status.phase is Phase.PARKED
    assert not node.spec.unschedulable
    assert node.spec.taints == ()


@virtualtime.played
async def test_a_repair_that_needs_a_person_goes_through_its_ladder_again_with_another_slot() -> (
    None
):
    async with staged(provision="2h") as scene:
        async with scene.remediator(provider=None):
            await asyncio.sleep(5)
            scene.cluster.inject("w-1", full())
            hopeless = await until(scene.client, "w-1", Phase.NEEDS_HUMAN)
            await asyncio.sleep(10)
        async with scene.remediator():
            await asyncio.sleep(5)
            await ask(scene.client, hopeless, Wish.RETRY)
            again = await until(scene.client, "w-1", Phase.REPAIRING, Phase.RECOVERED)

    assert again.metadata.name == hopeless.metadata.name
    assert again.status.tries == 1
    assert again.status.disruption_epoch > hopeless.status.disruption_epoch


async def meddle(cluster: Cluster, random: Random) -> None:
    """Have w-1 released as soon as its drain begins, and then retried."""
    del random
    client = cluster.client("ann")

    repair = await until(client, "w-1", Phase.WAITING, Phase.DRAINING)
    await ask(client, repair, Wish.RELEASE)
    parked = await until(client, "w-1", Phase.PARKED)
    await ask(client, parked, Wish.RETRY)


MEDDLED = Case(meddler=meddle)


def played(crash: Crash) -> stage.Ending:
    return stage.play(0, sick=("w-1",), crash=crash, case=MEDDLED)


def test_what_was_released_and_retried_is_repaired_in_the_end() -> None:
    never = Crash(at_write=1000, after=False, among=OF_REPAIRS)
    ending = played(never)

    assert_all_is_well(ending, ("w-1",))
    assert never.writes < MOST_WRITES
    assert [each.status.tries for each in ending.repairs] == [1]


@trials.at_any_write(MOST_WRITES, among=OF_REPAIRS)
def test_a_crash_at_any_write_of_a_release_and_a_retry_is_made_good(
    crashes: Iterable[Crash],
) -> None:
    for crash in crashes:
        ending = played(crash)

        assert_all_is_well(ending, ("w-1",))
        assert [each.status.tries for each in ending.repairs] == [1]
