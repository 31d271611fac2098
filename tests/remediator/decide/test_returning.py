"""What is given back is exactly what was given."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedgerSpec
from remediator.decide import returning
from tests.builders import ledger, node, repair, slot


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


@pytest.mark.parametrize(
    ("seen", "keeps"),
    [(node(ready=False), False), (node(ready=False, uid="another"), True), (None, True)],
)
def test_a_slot_under_which_a_node_was_only_drained_goes_back_while_it_is_that_node(
    seen: Node | None, *, keeps: bool
) -> None:
    drained = structs.replace(slot(6), only_drains=True)

    assert returning.keeps(ledger(epoch=9, slots={"n1": drained}), "n1", seen) is keeps


@pytest.mark.parametrize("seen", [None, node(ready=False, uid="another"), node(ready=False)])
def test_the_slot_of_a_drain_that_was_broken_off_never_waits_for_a_node_to_be_back(
    seen: Node | None,
) -> None:
    left = structs.replace(slot(6), only_drains=True, repair="")

    assert not returning.keeps(ledger(epoch=9, slots={"n1": left}), "n1", seen)


def test_a_slot_says_once_that_something_is_ordered_under_it() -> None:
    drained = structs.replace(slot(6), only_drains=True)
    held = ledger(epoch=9, slots={"n1": drained})

    ordered = returning.ordered(held, repair("n1"))

    assert ordered.status.slots == {"n1": slot(6)}
    assert returning.ordered(ordered, repair("n1")) is ordered
    assert returning.ordered(held, repair("n2")) is held


def test_of_a_slot_of_another_repair_nothing_is_said() -> None:
    drained = structs.replace(slot(6), only_drains=True, repair="another")
    held = ledger(epoch=9, slots={"n1": drained})

    assert returning.ordered(held, repair("n1")) is held


def test_release_takes_out_only_the_given_epochs() -> None:
    held = ledger(epoch=9, cordons={"n1": 4, "n2": 5}, slots={"n1": slot(6)})

    assert returning.release(held, "n1", frozenset({4, 6})).status.cordons == {"n2": 5}
    assert returning.release(held, "n1", frozenset({4, 6})).status.slots == {}
    assert returning.release(held, "n1", frozenset({3})) == held


def test_a_slot_that_was_drained_under_until_now_is_left_to_be_reaped() -> None:
    drained = structs.replace(slot(6), only_drains=True)
    held = ledger(epoch=9, cordons={"n1": 4}, slots={"n1": drained})
    ordered = ledger(epoch=9, slots={"n1": slot(6)})

    left = returning.release(held, "n1", frozenset({4, 6}), drained=True).status

    assert (left.cordons, left.slots) == ({}, {"n1": structs.replace(drained, repair="")})
    assert returning.release(ordered, "n1", frozenset({6}), drained=True).status.slots == {}


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
