"""A node with a condemned part is cordoned like any other, and then left to a person."""

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    BurnIn,
    BurningIn,
    Condemned,
    Failure,
    Intent,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    PhaseTime,
)
from remediator.decide import alerts, ladder, waiting
from remediator.decide.moves import (
    Burn,
    Cordon,
    Disrupt,
    Move,
    Other,
    Reason,
    Release,
    Rest,
    Retake,
    Surrender,
    View,
    Wellness,
)
from remediator.rules.alerting import Alerting
from tests.builders import NOON, at, ledger, node, repair, slot

SICK = Wellness(holds=True, heard_at=at(1))
DOOM = Condemned(
    part=Part(kind=PartKind.GPU, id="GPU-1"),
    failures=(Failure(node="n7", repair="n7-3", at=NOON),),
)
CORDONS = ledger(epoch=4, cordons={"n1": 4})
HELD = node(
    fence="4:cordoned",
    taints=(keys.REPAIR_TAINT,),
    unschedulable=True,
    labels={keys.QUARANTINE_LABEL: "gpu"},
)


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
    assert waiting.queue([doomed(Phase.CORDONED)]) == []
    assert waiting.queue([repair(phase=Phase.CORDONED)]) != []


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


# ---- a fault that joins brings the part ----

HURT = Joined(rule="gpu-hurt", mode=Mode.ENFORCE, since=at(5), condemned=DOOM)
SLOTS = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
DRAINS = NodeRepairStatus(
    phase=Phase.DRAINING,
    cordon_epoch=4,
    disruption_epoch=5,
    rung_since=NOON,
    tried=(0,),
    faults=(HURT,),
)
MENDS = structs.replace(DRAINS, phase=Phase.REPAIRING, rung=1, tried=(0, 1))
VERIFIES = structs.replace(MENDS, phase=Phase.VERIFYING)
ORDER = Intent(action="replace", key="k", issued_at=NOON)


def disrupted(*, uid: str = "", apart: bool = True) -> Node:
    return node(
        uid=uid,
        fence="5:disrupted",
        taints=(keys.REPAIR_TAINT,),
        unschedulable=True,
        labels={keys.QUARANTINE_LABEL: "gpu"} if apart else {},
    )


def joined_move(
    status: NodeRepairStatus,
    seen: Node | None = None,
    held: RepairLedger = SLOTS,
    *,
    allowed: Mode = Mode.ENFORCE,
) -> Move:
    mended = repair(status=status)
    mended = structs.replace(mended, spec=structs.replace(mended.spec, burn_in=BURN_IN))
    others = tuple(Other(fault=each, well=SICK, allowed=allowed) for each in status.faults)
    return ladder.next_move(
        View(
            repair=mended,
            node=seen or disrupted(),
            ledger=held,
            well=SICK,
            now=at(10),
            others=others,
        )
    )


BURN_IN = BurnIn(template="burn", deadline_seconds=60)


@pytest.mark.parametrize("status", [DRAINS, MENDS, VERIFIES])
def test_a_repair_that_a_condemned_part_joins_goes_no_further(status: NodeRepairStatus) -> None:
    called = joined_move(status)

    assert isinstance(called, Surrender)
    assert called.reason == Reason.CONDEMNED_PART
    assert called.message.startswith("GPU-1 is condemned: it fails again after repairs on n7 ")


def test_one_that_waits_for_a_slot_asks_for_none_any_more() -> None:
    waits = structs.replace(DRAINS, phase=Phase.WAITING, disruption_epoch=0, tried=())

    assert isinstance(joined_move(waits, HELD, CORDONS), Surrender)
    assert waiting.queue([repair(status=waits)]) == []
    assert isinstance(joined_move(structs.replace(waits, faults=()), HELD, CORDONS), Disrupt)


def test_its_node_is_set_apart_when_the_part_joins() -> None:
    assert isinstance(joined_move(DRAINS, disrupted(apart=False)), Retake)


def test_what_was_ordered_already_is_seen_through() -> None:
    assert not isinstance(joined_move(structs.replace(MENDS, intent=ORDER)), Surrender)


def test_a_burn_in_that_runs_is_heard_out_first() -> None:
    running = structs.replace(VERIFIES, burn_in=BurningIn(since=NOON))
    passed = structs.replace(VERIFIES, burn_in=BurningIn(since=NOON, passed_at=NOON), intent=ORDER)

    assert joined_move(running) == Burn(wanted=BURN_IN)
    assert isinstance(joined_move(passed), Surrender)


def test_another_machine_has_other_parts() -> None:
    given = joined_move(VERIFIES, disrupted(uid="another", apart=False))

    assert not isinstance(given, Surrender | Retake)


def test_a_fault_whose_rule_may_not_act_any_more_condemns_nothing() -> None:
    assert not isinstance(joined_move(DRAINS, allowed=Mode.OBSERVE), Surrender)


def test_a_person_who_asked_to_retry_has_it_repaired_once_more() -> None:
    assert not isinstance(joined_move(structs.replace(DRAINS, tries=1)), Surrender)
