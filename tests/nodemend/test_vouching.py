"""What only a person may say of the ledger, as processes against the emulator over HTTP."""

from nodehealth import keys
from nodehealth.kube.objects import Metadata
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger, RepairLedgerStatus, Slot
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairSpec, Target
from simulator.cluster import REMEDIATOR_TOKEN
from tests.builders import NOON
from tests.nodemend.test_asking import Desk
from tests.nodemend.test_holding import desk

__all__ = ["desk"]


async def ledger(desk: Desk) -> RepairLedger:
    return await desk.cluster.client("test").get(REPAIR_LEDGERS, keys.LEDGER_NAME)


async def slotted(desk: Desk) -> None:
    """Give w-1 a slot, as the remediator would."""
    client = desk.cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
    slot = Slot(epoch=7, node_uid="u", repair="w-1-gone", acquired_at=NOON)
    status = RepairLedgerStatus(epoch=7, slots={"w-1": slot}, known_since=NOON)
    body = {"metadata": (await ledger(desk)).metadata, "status": status}
    await client.replace(REPAIR_LEDGERS, body, name=keys.LEDGER_NAME, subresource="status")


async def test_a_closed_ledger_is_opened(desk: Desk) -> None:
    closed = {"spec": {"disruption": "Closed"}}
    await desk.cluster.client("test").merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, closed)

    first, again = await desk.run("ledger", "open"), await desk.run("ledger", "open")

    assert "Disruption is open; the ledger has 0 slots and 0 cordons." in first.out
    assert again.out == "Disruption was open already.\n"
    assert (await ledger(desk)).spec.disruption == "Open"


async def test_a_slot_without_a_repair_is_vouched_for_by_its_epoch(desk: Desk) -> None:
    await slotted(desk)
    stale = {"spec": {"released": {"w-2": 3}}}
    await desk.cluster.client("test").merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, stale)

    answer = await desk.run("ledger", "release", "w-1")

    assert answer.code == 0
    assert "Slot 7 of w-1 is given back" in answer.out
    assert (await ledger(desk)).spec.released == {"w-1": 7}


async def test_a_slot_that_a_repair_holds_is_not_given_back_behind_its_back(desk: Desk) -> None:
    await slotted(desk)
    spec = NodeRepairSpec(target=Target(node="w-1", node_uid="u"), rule="disk-full")
    mended = NodeRepair(metadata=Metadata(name="w-1-u-1"), spec=spec)
    await desk.cluster.client("test").create(NODE_REPAIRS, mended)

    held, none = (
        await desk.run("ledger", "release", "w-1"),
        await desk.run("ledger", "release", "w-2"),
    )

    assert "w-1-u-1 works on w-1 and gives the slot back itself" in held.complaint
    assert "w-2 has no disruption slot; nodes that do: w-1" in none.complaint
    assert (await ledger(desk)).spec.released == {}
