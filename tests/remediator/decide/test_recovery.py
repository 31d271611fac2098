"""A lost ledger is put together again from what Nodes and open repairs bear witness to."""

from nodehealth.ledger import RepairLedgerStatus
from nodehealth.repair import NodeRepairStatus, Phase
from remediator.decide import recovery
from tests.builders import NOON, node, repair, slot


def test_where_nothing_was_ever_admitted_nothing_is_rebuilt() -> None:
    assert recovery.rebuilt([node()], [repair()], NOON) == RepairLedgerStatus(known_since=NOON)


def test_fences_and_open_repairs_are_put_back_under_a_new_epoch() -> None:
    nodes = [node("n1", fence="5:disrupted"), node("n2", fence="7:cordoned")]
    working = repair(
        "n1", status=NodeRepairStatus(phase=Phase.DRAINING, cordon_epoch=4, disruption_epoch=5)
    )

    found = recovery.rebuilt(nodes, [working], NOON)

    assert found == RepairLedgerStatus(
        epoch=8, cordons={"n1": 4, "n2": 7}, slots={"n1": slot(5)}, known_since=NOON
    )


def test_what_has_ended_only_counts_for_the_epoch() -> None:
    ended = repair("n1", status=NodeRepairStatus(phase=Phase.RECOVERED, disruption_epoch=9))

    found = recovery.rebuilt([node("n1", fence="3:released")], [ended], NOON)

    assert found == RepairLedgerStatus(epoch=10, known_since=NOON)
