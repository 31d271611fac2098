"""Who waits for a person or a window is cordoned, takes no slot, and goes on when it may."""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

from msgspec import structs

from nodehealth import keys
from nodehealth.ledger import REPAIR_LEDGERS, Slot
from nodehealth.repair import NODE_REPAIRS, Phase
from remediator.rules.approvals import Approval
from remediator.rules.windows import Window, Windows
from simulator import virtualtime
from simulator.cluster import REMEDIATOR_TOKEN
from tests.safety.stage import policy
from tests.safety.test_stories import Scene, full, minutes, staged

ASKING = replace(policy(), approvals=(Approval(actions=frozenset({"replace"})),))
LATER = Window(days=frozenset(range(7)), opens=12 * 60 + 20, closes=13 * 60, zone=ZoneInfo("UTC"))
"""The clocks of these stories begin at noon."""
TWENTY_PAST = replace(policy(), windows=Windows(open=(LATER,)))


async def approve(scene: Scene, node: str) -> None:
    name = (await scene.repair(node)).metadata.name
    await scene.client.merge_patch(NODE_REPAIRS, name, {"spec": {"approved": {"by": "ann"}}})


@virtualtime.played
async def test_a_repair_waits_cordoned_for_a_person_and_goes_on_at_their_word() -> None:
    async with staged() as scene, scene.remediator(under=ASKING):
        await asyncio.sleep(5)
        for name in ("w-1", "w-2"):
            scene.cluster.inject(name, full())
        await minutes(5)
        held, node, ledger = (
            await scene.repair("w-1"),
            await scene.node("w-1"),
            await scene.ledger(),
        )
        await approve(scene, "w-2")
        await minutes(10)
        after, still = await scene.repair("w-2"), await scene.repair("w-1")

    assert (held.status.phase, held.status.reason) == (Phase.WAITING, "NotApproved")
    assert f"nodemend repairs approve {held.metadata.name}" in held.status.message
    assert held.status.approval_asked is not None
    assert node.spec.unschedulable
    assert ledger.status.slots == {}
    assert after.status.phase is Phase.RECOVERED
    assert still.status.reason == "NotApproved"


@virtualtime.played
async def test_disruption_begins_when_a_window_opens() -> None:
    async with staged() as scene, scene.remediator(under=TWENTY_PAST):
        await asyncio.sleep(5)
        scene.cluster.inject("w-1", full())
        await minutes(19)
        held, node = await scene.repair("w-1"), await scene.node("w-1")
        await minutes(2)
        begun = await scene.repair("w-1")

    assert (held.status.phase, held.status.reason) == (Phase.WAITING, "OutsideWindow")
    assert "the next one opens at 12:20 on Thursday, 2026-01-01 (UTC)" in held.status.message
    assert node.spec.unschedulable
    assert begun.status.rung_since is not None
    assert (begun.status.rung_since - held.status.timeline[0].at).total_seconds() < 20 * 60


async def admitted(scene: Scene, node: str) -> None:
    """Have the ledger hold a slot that the repair does not know of, as a crash leaves it."""
    repair, ledger = await scene.repair(node), await scene.ledger()
    epoch = ledger.status.epoch + 1
    slot = Slot(
        epoch=epoch,
        node_uid=repair.spec.target.node_uid,
        repair=repair.metadata.name,
        acquired_at=virtualtime.clock()(),
        pool="w",
    )
    status = structs.replace(ledger.status, epoch=epoch, slots={node: slot})
    client = scene.cluster.client("test", token=REMEDIATOR_TOKEN)
    changed = structs.replace(ledger, status=status)
    await client.replace(REPAIR_LEDGERS, changed, name=keys.LEDGER_NAME, subresource="status")


@virtualtime.played
async def test_who_was_admitted_before_a_crash_keeps_no_slot_until_the_next_window() -> None:
    async with staged() as scene:
        async with scene.remediator(under=TWENTY_PAST):
            await asyncio.sleep(5)
            scene.cluster.inject("w-1", full())
            await minutes(1)
        await admitted(scene, "w-1")
        async with scene.remediator(under=TWENTY_PAST):
            await minutes(15)

        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert (await scene.ledger()).status.slots == {}
