"""What is given back is exactly what was given."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedgerSpec
from remediator.decide import returning
from tests.builders import ledger, node, slot


@pytest.mark.parametrize(
    ("seen", "released", "keeps"),
    [
        (node(), 0, False),
        (node(ready=False), 0, True),
        (None, 0, True),
        (None, 6, False),
        (None, 5, True),
    ],
)
def test_a_slot_that_no_repair_holds_stays_until_the_node_is_back_or_a_person_vouches(
    seen: Node | None, released: int, *, keeps: bool
) -> None:
    held = ledger(epoch=9, slots={"n1": slot(6)})
    said = structs.replace(held, spec=RepairLedgerSpec(released={"n1": released}))

    assert returning.keeps(said, "n1", seen) is keeps
    assert not returning.keeps(said, "n2", None)


def test_release_takes_out_only_the_given_epochs() -> None:
    held = ledger(epoch=9, cordons={"n1": 4, "n2": 5}, slots={"n1": slot(6)})

    assert returning.release(held, "n1", frozenset({4, 6})).status.cordons == {"n2": 5}
    assert returning.release(held, "n1", frozenset({4, 6})).status.slots == {}
    assert returning.release(held, "n1", frozenset({3})) == held


def test_surrender_trades_the_slot_for_a_cordon() -> None:
    held = ledger(epoch=9, cordons={"n1": 4}, slots={"n1": slot(6), "n2": slot(7, name="n2")})

    after = returning.surrender(held, "n1", 6).status

    assert after.slots.keys() == {"n2"}
    assert after.cordons == {"n1": 6}


def test_surrender_leaves_a_slot_of_another_epoch_to_whoever_has_it() -> None:
    held = ledger(epoch=20, cordons={"n1": 15}, slots={"n1": slot(20)})

    assert returning.surrender(held, "n1", 7) == held


def test_surrender_makes_no_cordon_where_no_slot_was() -> None:
    held = ledger(epoch=20)

    assert returning.surrender(held, "n1", 7) == held
