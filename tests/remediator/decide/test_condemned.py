"""A node with a condemned part is cordoned like any other, and then left to a person."""

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    Condemned,
    Failure,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    PhaseTime,
)
from remediator.decide import alerts, ladder, plan
from remediator.decide.moves import Cordon, Move, Reason, Release, Rest, Surrender, View, Wellness
from remediator.rules.alerting import Alerting
from tests.builders import NOON, at, ledger, node, repair

SICK = Wellness(holds=True, heard_at=at(1))
DOOM = Condemned(
    part=Part(kind=PartKind.GPU, id="GPU-1"),
    failures=(Failure(node="n7", repair="n7-3", at=NOON),),
)
CORDONS = ledger(epoch=4, cordons={"n1": 4})
HELD = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,), unschedulable=True)


def doomed(phase: Phase, *, mode: Mode = Mode.ENFORCE, epoch: int = 4) -> NodeRepair:
    times = (PhaseTime(phase=phase, at=NOON),)
    made = repair(
        mode=mode, status=NodeRepairStatus(phase=phase, cordon_epoch=epoch, timeline=times)
    )
    return structs.replace(made, spec=structs.replace(made.spec, condemned=DOOM))


def move(
    mended: NodeRepair,
    seen: Node = HELD,
    held: RepairLedger = CORDONS,
    *,
    well: Wellness = SICK,
    allowed: Mode = Mode.ENFORCE,
) -> Move:
    view = View(repair=mended, node=seen, ledger=held, well=well, now=NOON, allowed=allowed)
    return ladder.next_move(view)


def test_it_asks_for_a_cordon_as_any_other_repair_does() -> None:
    assert move(doomed(Phase.CONFIRMED, epoch=0), node(), ledger()) == Cordon()


def test_once_cordoned_it_asks_for_no_slot_but_for_a_person() -> None:
    called = move(doomed(Phase.CORDONED))

    assert isinstance(called, Surrender)
    assert called.reason == Reason.CONDEMNED_PART
    assert called.message == (
        "GPU-1 is condemned: it fails again after repairs on n7 "
        f"(n7-3, {NOON:%Y-%m-%d %H:%M}); exchange it and delete this NodeRepair, or uncordon the "
        "node to have it left alone"
    )


def test_it_keeps_nobody_else_from_a_slot() -> None:
    assert plan.queue([doomed(Phase.CORDONED)]) == []
    assert plan.queue([repair(phase=Phase.CORDONED)]) != []


def test_it_is_given_back_when_the_fault_goes_away_before_anybody_was_called() -> None:
    well = Wellness(over=True, since=at(-600), heard_at=at(1))

    given = move(doomed(Phase.CORDONED), well=well)

    assert isinstance(given, Release)
    assert given.reason == Reason.FAULT_GONE


def test_it_stays_with_the_person_though_the_fault_went_away() -> None:
    well = Wellness(over=True, since=at(-600), heard_at=at(1))

    assert isinstance(move(doomed(Phase.NEEDS_HUMAN), well=well), Rest)


def test_who_uncordons_the_node_has_it_left_alone() -> None:
    uncordoned = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,))

    given = move(doomed(Phase.NEEDS_HUMAN), uncordoned)

    assert isinstance(given, Release)
    assert given.phase is Phase.PARKED


def test_observing_says_that_a_person_would_be_called() -> None:
    seen = move(doomed(Phase.CONFIRMED, mode=Mode.OBSERVE), node(), allowed=Mode.OBSERVE)

    assert isinstance(seen, Rest)
    assert seen.message.startswith("would cordon n1, then call a person, for GPU-1 is")


def test_people_are_paged_and_told_what_to_delete_to_have_it_repaired_anyway() -> None:
    said = alerts.of_repair(doomed(Phase.NEEDS_HUMAN), Alerting(), "", NOON)

    assert said.needs_person
    assert "To have it repaired anew: kubectl delete noderepair n7-3 n1-repair" in said.description
