"""A repair goes on by one move at a time, each from fresh facts, and never on a stale slot."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node, NodeInfo
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    Arrival,
    Closing,
    Decision,
    Intent,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
)
from remediator.decide import admissions, ladder, ready
from remediator.decide.endings import NAME_PATIENCE
from remediator.decide.moves import (
    Climb,
    Cordon,
    Disrupt,
    Finish,
    Inquire,
    Mended,
    Move,
    NextRung,
    Reason,
    Release,
    Rest,
    Retake,
    Surrender,
    Trade,
    View,
    Wellness,
)
from remediator.decide.orders import LOST_AFTER
from remediator.decide.verifying import VERIFY_PATIENCE
from tests.builders import NOON, at, ledger, node, repair, slot

WELL = Wellness(over=True, since=at(-600), heard_at=at(1))
SICK = Wellness(holds=True, heard_at=at(1))
UNKNOWN = Wellness()
CORDONS = ledger(epoch=4, cordons={"n1": 4})
SLOTS = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})


def view(
    mended: NodeRepair,
    seen: Node | None = None,
    held: RepairLedger | None = None,
    *,
    well: Wellness = SICK,
    now: datetime = NOON,
    allowed: Mode = Mode.ENFORCE,
    ruled: bool = True,
) -> View:
    return View(
        repair=mended,
        node=seen,
        ledger=held or ledger(),
        well=well,
        now=now,
        allowed=allowed,
        ruled=ruled,
    )


def marked(hold: str, *, ready: bool = True) -> Node:
    return node(fence=hold, taints=(keys.REPAIR_TAINT,), unschedulable=True, ready=ready)


def giving(gpus: str, uid: str = "") -> Node:
    return node(
        fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True, gpus=gpus, uid=uid
    )


def cordoned(phase: Phase = Phase.CORDONED) -> NodeRepair:
    return repair(status=NodeRepairStatus(phase=phase, cordon_epoch=4))


def working(phase: Phase, *, rung: int = 0, intent: Intent | None = None) -> NodeRepair:
    status = NodeRepairStatus(
        phase=phase,
        cordon_epoch=4,
        disruption_epoch=5,
        rung=rung,
        rung_since=NOON,
        intent=intent,
    )
    return repair(status=status)


def greeted(mended: NodeRepair, uid: str) -> NodeRepair:
    came = structs.replace(mended.status, arrival=Arrival(node_uid=uid, at=NOON))
    return structs.replace(mended, status=came)


SENT = Intent(action="reboot", key="k", issued_at=NOON, pod="pod-1", boot_id="boot-1")
INTENT = Intent(action="replace", key="k", issued_at=NOON)


def test_a_confirmed_fault_is_cordoned() -> None:
    assert ladder.next_move(view(repair(), node())) == Cordon()


def test_the_slot_of_a_deleted_repair_of_the_same_name_is_taken_over() -> None:
    left = view(repair(), marked("5:disrupted"), SLOTS)

    assert ladder.next_move(left) == Disrupt()
    assert isinstance(ladder.next_move(replace(left, well=UNKNOWN)), Rest)


def test_a_node_that_is_well_again_is_never_cordoned() -> None:
    move = ladder.next_move(view(repair(), node(), well=WELL))

    assert isinstance(move, Release)
    assert move.reason is Reason.FAULT_GONE


@pytest.mark.parametrize("heard_at", [None, NOON, at(-30)])
def test_evidence_from_before_the_repair_does_not_end_it(heard_at: datetime | None) -> None:
    stale = replace(WELL, heard_at=heard_at)

    move = ladder.next_move(view(repair(), node(), well=stale))

    assert isinstance(move, Rest)
    assert move.reason == Reason.EVIDENCE_MISSING


@pytest.mark.parametrize("phase", [Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING])
def test_nothing_is_begun_without_fresh_evidence_of_the_fault(phase: Phase) -> None:
    begun = repair(status=NodeRepairStatus(phase=phase, cordon_epoch=4))

    move = ladder.next_move(view(begun, marked("4:cordoned"), CORDONS, well=UNKNOWN))

    assert isinstance(move, Rest)
    assert (move.phase, move.reason) == (phase, Reason.EVIDENCE_MISSING)


@pytest.mark.parametrize("phase", [Phase.CONFIRMED, Phase.WAITING, Phase.DRAINING])
@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE])
def test_nothing_is_begun_once_the_mode_is_stricter(phase: Phase, mode: Mode) -> None:
    begun = working(phase) if phase is Phase.DRAINING else cordoned(phase)
    held = "5:disrupted" if phase is Phase.DRAINING else "4:cordoned"
    admitted = SLOTS if phase is Phase.DRAINING else CORDONS

    move = ladder.next_move(view(begun, marked(held), admitted, allowed=mode))

    assert isinstance(move, Rest)
    assert (move.phase, move.reason) == (phase, Reason.MODE)


def test_an_order_under_way_is_followed_whatever_the_mode_is() -> None:
    ordered = working(Phase.REPAIRING, rung=1, intent=INTENT)

    move = ladder.next_move(view(ordered, None, SLOTS, allowed=Mode.OFF))

    assert isinstance(move, Climb)


def test_an_ending_that_is_written_down_is_carried_out() -> None:
    closing = Closing(phase=Phase.NEEDS_HUMAN, reason="x", message="y")
    ending = repair(status=NodeRepairStatus(phase=Phase.VERIFYING, closing=closing))

    assert ladder.next_move(view(ending, node())) == Finish(closing=closing)


def test_a_cordoned_node_asks_for_a_slot() -> None:
    assert ladder.next_move(view(cordoned(), marked("4:cordoned"), CORDONS)) == Disrupt()
    waiting = view(cordoned(Phase.WAITING), marked("4:cordoned"), CORDONS)
    assert ladder.next_move(waiting) == Disrupt()


def test_a_cordoned_node_that_is_well_again_is_given_back() -> None:
    move = ladder.next_move(view(cordoned(), marked("4:cordoned"), CORDONS, well=WELL))

    assert isinstance(move, Release)


@pytest.mark.parametrize("seen", [None, node(uid="another machine")])
def test_a_machine_that_is_not_there_any_more_ends_the_repair(seen: Node | None) -> None:
    move = ladder.next_move(view(cordoned(), seen, CORDONS))

    assert isinstance(move, Release)
    assert move.reason is Reason.NODE_ABSENT


def test_a_cordon_that_lost_its_marks_gets_them_again() -> None:
    move = ladder.next_move(view(cordoned(), node(), CORDONS))

    assert move == Retake(fence=Fence(epoch=4, hold=Hold.CORDONED))


def test_a_disrupted_node_whose_fence_fell_back_gets_it_again() -> None:
    move = ladder.next_move(view(working(Phase.DRAINING), marked("4:cordoned"), SLOTS))

    assert move == Retake(fence=Fence(epoch=5, hold=Hold.DISRUPTED))


def test_observing_says_what_would_be_done() -> None:
    watching = repair(mode=Mode.OBSERVE)

    move = ladder.next_move(view(watching, node(), allowed=Mode.OBSERVE))

    assert isinstance(move, Rest)
    assert move.reason == Reason.OBSERVE_ONLY
    assert move.message == "would cordon n1, then drain, then replace; the mode is observe"
    assert isinstance(ladder.next_move(view(watching, node(), well=WELL)), Release)


@pytest.mark.parametrize(("allowed", "ruled"), [(Mode.ENFORCE, True), (Mode.OBSERVE, False)])
def test_observing_ends_when_more_is_allowed_or_the_rule_is_gone(
    allowed: Mode,
    ruled: bool,  # noqa: FBT001 - pytest
) -> None:
    watching = repair(mode=Mode.OBSERVE, phase=Phase.WAITING)

    move = ladder.next_move(view(watching, node(), allowed=allowed, ruled=ruled))

    assert isinstance(move, Release)
    assert move.reason == Reason.MODE


def test_observing_makes_way_for_a_rule_that_may_act() -> None:
    watching = repair(mode=Mode.OBSERVE, phase=Phase.WAITING)
    before = view(watching, node(), allowed=Mode.OBSERVE)

    move = ladder.next_move(replace(before, eclipsed_by="not-ready"))

    assert isinstance(move, Release)
    assert move.reason == Reason.ECLIPSED


def hopeless(seen: Node | None, held: RepairLedger, intent: Intent | None = None) -> Move:
    status = NodeRepairStatus(
        phase=Phase.NEEDS_HUMAN, cordon_epoch=4, disruption_epoch=5, intent=intent
    )
    return ladder.next_move(view(repair(status=status), seen, held))


def test_a_hopeless_node_gives_its_slot_to_one_that_can_be_helped() -> None:
    assert hopeless(marked("5:disrupted"), SLOTS) == Trade()
    anew = node(uid="new", fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)
    assert hopeless(anew, SLOTS, INTENT) == Trade()


def test_a_trade_that_stopped_half_way_is_gone_on_with() -> None:
    assert hopeless(marked("5:cordoned"), SLOTS) == Trade()


@pytest.mark.parametrize(
    "seen",
    [marked("5:disrupted"), node(uid="new", ready=False)],
    ids=["not yet away", "coming"],
)
def test_a_slot_is_kept_while_an_order_is_under_way(seen: Node | None) -> None:
    assert isinstance(hopeless(seen, SLOTS, INTENT), Rest)


def test_the_owner_of_a_machine_that_is_away_is_asked_what_became_of_the_order() -> None:
    assert hopeless(None, SLOTS, INTENT) == Inquire()


def test_what_was_sent_to_a_hopeless_node_is_inquired_about_until_nothing_can_come_of_it() -> None:
    assert hopeless(marked("5:disrupted"), SLOTS, SENT) == Inquire()
    assert hopeless(None, SLOTS, SENT) == Inquire()


def test_the_owner_of_a_machine_that_is_up_is_asked_whether_an_old_order_was_lost() -> None:
    status = NodeRepairStatus(
        phase=Phase.NEEDS_HUMAN, cordon_epoch=4, disruption_epoch=5, intent=INTENT
    )

    def move(seen: Node, now: datetime) -> Move:
        return ladder.next_move(view(repair(status=status), seen, SLOTS, now=now))

    assert isinstance(move(marked("5:disrupted"), NOON + LOST_AFTER - timedelta(seconds=1)), Rest)
    assert isinstance(move(marked("5:disrupted", ready=False), NOON + LOST_AFTER), Rest)
    assert move(marked("5:disrupted"), NOON + LOST_AFTER) == Inquire()


def test_a_hopeless_node_that_booted_anew_after_all_gives_its_slot_away() -> None:
    seen = marked("5:disrupted")
    status = structs.replace(seen.status, node_info=NodeInfo(boot_id="boot-2"))

    assert hopeless(structs.replace(seen, status=status), SLOTS, SENT) == Trade()


def test_a_machine_that_an_earlier_rung_brought_down_keeps_its_slot_until_it_is_up() -> None:
    status = NodeRepairStatus(
        phase=Phase.NEEDS_HUMAN, cordon_epoch=4, disruption_epoch=5, rebooting=SENT
    )
    down, up = marked("5:disrupted", ready=False), marked("5:disrupted")
    booted = structs.replace(
        up, status=structs.replace(up.status, node_info=NodeInfo(boot_id="boot-2"))
    )

    def move(seen: Node | None) -> Move:
        return ladder.next_move(view(repair(status=status), seen, SLOTS))

    assert move(down) == Inquire()
    assert move(None) == Inquire()
    assert move(booted) == Trade()


def test_a_late_successor_of_a_hopeless_machine_is_held_before_the_slot_goes() -> None:
    move = hopeless(node(uid="new"), SLOTS, INTENT)

    assert move == Retake(fence=Fence(epoch=5, hold=Hold.DISRUPTED))


def test_a_hopeless_node_without_a_slot_waits_for_a_person() -> None:
    traded = ledger(epoch=5, cordons={"n1": 5})

    assert isinstance(hopeless(marked("5:cordoned"), traded), Rest)


@pytest.mark.parametrize("seen", [None, node(uid="by a person")], ids=["taken away", "replaced"])
def test_a_hopeless_node_that_a_person_dealt_with_is_held_no_longer(seen: Node | None) -> None:
    move = hopeless(seen, ledger(epoch=5, cordons={"n1": 5}))

    assert isinstance(move, Release)
    assert move.reason == Reason.NODE_ABSENT


@pytest.mark.parametrize("phase", [Phase.RECOVERED, Phase.PARKED])
def test_what_has_ended_rests(phase: Phase) -> None:
    assert ladder.next_move(view(repair(phase=phase), node())) == Rest(phase=phase)


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.REPAIRING])
def test_a_disrupted_node_goes_on_with_its_rung(phase: Phase) -> None:
    mended = working(phase, rung=1)

    move = ladder.next_move(view(mended, marked("5:disrupted"), SLOTS))

    assert move == Climb(rung=mended.spec.ladder[1])


def test_a_node_made_anew_is_held_on_sight() -> None:
    mended = working(Phase.REPAIRING, rung=1, intent=INTENT)

    move = ladder.next_move(view(mended, node(uid="new"), SLOTS))

    assert move == Retake(fence=Fence(epoch=5, hold=Hold.DISRUPTED))


def test_a_machine_that_somebody_else_replaced_must_prove_itself() -> None:
    fresh = node(uid="new", fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)

    assert isinstance(ladder.next_move(view(working(Phase.DRAINING), fresh, SLOTS)), Mended)
    ours = working(Phase.REPAIRING, rung=1, intent=INTENT)
    assert isinstance(ladder.next_move(view(greeted(ours, "new"), fresh, SLOTS)), Climb)


def test_a_node_that_is_away_does_not_stop_the_rung() -> None:
    assert isinstance(ladder.next_move(view(working(Phase.REPAIRING), None, SLOTS)), Climb)


def verified(
    seen: Node | None,
    well: Wellness = WELL,
    *,
    seconds: float = 100,
    intent: Intent | None = INTENT,
) -> Move:
    mended = working(Phase.VERIFYING, rung=1, intent=intent)
    return ladder.next_move(view(mended, seen, SLOTS, well=well, now=at(seconds)))


def test_a_mended_node_is_given_back_once_it_stayed_well() -> None:
    move = verified(marked("5:disrupted"))

    assert isinstance(move, Release)
    assert move.reason is Reason.REPAIRED


def test_what_was_heard_before_a_program_had_ended_proves_nothing() -> None:
    mended = working(Phase.VERIFYING, rung=1, intent=SENT)
    mended = structs.replace(mended, status=structs.replace(mended.status, rung_since=at(600)))
    early = Wellness(over=True, since=at(-30), heard_at=at(590))

    def move(well: Wellness, seconds: float) -> Move:
        seen = marked("5:disrupted")
        return ladder.next_move(view(mended, seen, SLOTS, well=well, now=at(seconds)))

    assert isinstance(move(early, 900), Rest)
    assert isinstance(move(replace(early, heard_at=at(601)), 659), Rest)
    assert isinstance(move(replace(early, heard_at=at(601)), 660), Release)


def test_a_mended_node_must_stay_well_for_its_time() -> None:
    early = verified(marked("5:disrupted"), seconds=59)
    later = verified(
        marked("5:disrupted"), Wellness(over=True, since=at(90), heard_at=at(1)), intent=None
    )

    assert isinstance(early, Rest)
    assert early.until == at(60)
    assert isinstance(later, Rest)
    assert later.until == at(150)


@pytest.mark.parametrize(
    ("seen", "well", "reason"),
    [
        (marked("5:disrupted", ready=False), WELL, Reason.NODE_NOT_READY),
        (marked("5:disrupted"), SICK, Reason.NOT_YET_WELL),
        (marked("5:disrupted"), replace(WELL, heard_at=NOON), Reason.NOT_YET_WELL),
        (marked("5:disrupted"), replace(WELL, heard_at=None), Reason.NOT_YET_WELL),
        (marked("5:disrupted"), replace(WELL, over=False), Reason.NOT_YET_WELL),
    ],
    ids=["not ready", "sick", "old evidence", "no evidence", "not over"],
)
def test_a_node_is_not_well_without_fresh_evidence(
    seen: Node | None, well: Wellness, reason: Reason
) -> None:
    move = verified(seen, well)

    assert isinstance(move, Rest)
    assert move.reason == reason
    assert move.until == NOON + VERIFY_PATIENCE + timedelta(seconds=60)


def absent(rung: int, *, since: float | None, seconds: float) -> Move:
    mended = working(Phase.VERIFYING, rung=rung, intent=INTENT)
    if since is not None:
        line = Decision(at=at(since), text="Verifying (NodeAbsent)")
        status = structs.replace(mended.status, reason=Reason.NODE_ABSENT, log=(line,))
        mended = structs.replace(mended, status=status)
    return ladder.next_move(view(mended, None, SLOTS, now=at(seconds)))


@pytest.mark.parametrize(("since", "seconds"), [(None, 3600), (3600, 3899)])
def test_a_successor_is_waited_for_under_the_old_name(since: float | None, seconds: float) -> None:
    move = absent(1, since=since, seconds=seconds)

    assert isinstance(move, Rest)
    assert move.reason == Reason.NODE_ABSENT
    assert move.until == at(3900)


def test_a_machine_whose_successor_has_another_name_is_held_no_longer() -> None:
    move = absent(1, since=100, seconds=100 + NAME_PATIENCE.total_seconds())

    assert isinstance(move, Release)
    assert move.reason is Reason.REPLACED_ELSEWHERE
    assert "nobody verified that its successor, which has another, is well" in move.message


def test_a_node_that_vanished_without_being_replaced_is_waited_for() -> None:
    move = absent(0, since=0, seconds=600)

    assert isinstance(move, Rest)
    assert move.reason == Reason.NODE_ABSENT
    assert move.until == NOON + VERIFY_PATIENCE + timedelta(seconds=60)


def test_without_its_rule_nothing_tells_whether_a_node_is_well() -> None:
    mended = working(Phase.VERIFYING, rung=1, intent=INTENT)

    move = ladder.next_move(view(mended, marked("5:disrupted"), SLOTS, well=WELL, ruled=False))

    assert isinstance(move, Rest)
    assert move.message.startswith("rule disk-full is gone")


def test_a_node_that_does_not_get_well_in_time_gets_the_next_remedy_or_a_person() -> None:
    late = VERIFY_PATIENCE + timedelta(seconds=60)

    last = verified(marked("5:disrupted"), SICK, seconds=late.total_seconds())
    first = ladder.next_move(
        view(
            working(Phase.VERIFYING, rung=0),
            marked("5:disrupted"),
            SLOTS,
            now=NOON + late,
        )
    )

    assert isinstance(last, Surrender)
    assert last.reason == Reason.LADDER_EXHAUSTED
    assert isinstance(first, NextRung)
    assert first.rung == 1


def test_a_release_that_a_crash_cut_in_two_is_finished() -> None:
    after_patch = view(working(Phase.VERIFYING), node(fence="5:released"), SLOTS)
    before_disruption = view(cordoned(), node(fence="4:released"), CORDONS)

    mended, gone = ladder.next_move(after_patch), ladder.next_move(before_disruption)

    assert isinstance(mended, Release)
    assert mended.reason is Reason.REPAIRED
    assert isinstance(gone, Release)
    assert gone.reason is Reason.FAULT_GONE


def test_an_old_release_is_none_of_ours() -> None:
    move = ladder.next_move(view(cordoned(), node(fence="3:released"), CORDONS))

    assert move == Retake(fence=Fence(epoch=4, hold=Hold.CORDONED))


def test_admissions_that_a_crash_kept_out_of_the_record_are_in_the_ledger() -> None:
    held = admissions.held(repair(), SLOTS)

    assert held.epochs() == {4, 5}
    assert admissions.held(repair("n2"), SLOTS).epochs() == frozenset()


def test_the_slot_of_another_repair_is_not_ours() -> None:
    foreign = ledger(slots={"n1": slot(9, name="other")})

    assert admissions.held(repair(), foreign).disruption == 0


@pytest.mark.parametrize(
    ("seen", "held", "says"),
    [
        (marked("5:disrupted"), SLOTS, ""),
        (None, SLOTS, ""),
        (marked("5:disrupted"), CORDONS, "the ledger has no slot of epoch 5 for n1"),
        (marked("5:disrupted"), ledger(slots={"n1": slot(6)}), "the ledger has no slot of epoch 5"),
        (node(uid="new", fence="5:disrupted"), SLOTS, "n1 is another machine now"),
        (node(), SLOTS, "the fence of n1 is absent, not 5:disrupted"),
        (node(fence="5:released"), SLOTS, "the fence of n1 is 5:released, not 5:disrupted"),
        (node(fence="4:disrupted"), SLOTS, "the fence of n1 is 4:disrupted"),
        (node(fence="5:disrupted"), SLOTS, "somebody uncordoned n1"),
    ],
)
def test_a_deed_needs_a_live_slot_and_the_fence_that_goes_with_it(
    seen: Node | None, held: RepairLedger, says: str
) -> None:
    refusal = admissions.disruption_refusal(working(Phase.DRAINING), seen, held)

    assert refusal.startswith(says)
    assert bool(refusal) == bool(says)


def test_a_node_is_out_that_is_cordoned_leaving_or_not_ready() -> None:
    leaving = structs.replace(node().metadata, deletion_timestamp=NOON)
    nodes = (
        node(),
        node(ready=False),
        node(unschedulable=True),
        structs.replace(node(), metadata=leaving),
    )

    assert [ready.is_out(each) for each in nodes] == [False, True, True, True]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (giving("7"), Reason.GPUS_MISSING),
        (giving("8"), Reason.NOT_YET_WELL),
        (giving("7", uid="another"), Reason.NOT_YET_WELL),
    ],
    ids=["one is missing", "all are there", "it is another machine"],
)
def test_a_machine_that_came_back_with_fewer_gpus_is_not_mended(seen: Node, reason: Reason) -> None:
    verifying = working(Phase.VERIFYING)
    verifying = greeted(verifying, "another")
    had = structs.replace(verifying.spec.target, gpus=8)
    mended = structs.replace(verifying, spec=structs.replace(verifying.spec, target=had))

    waits = ladder.next_move(view(mended, seen, SLOTS))

    assert isinstance(waits, Rest)
    assert waits.reason == reason


@pytest.mark.parametrize("mended", [repair(), cordoned(), cordoned(Phase.WAITING)])
def test_a_node_that_no_rule_calls_sick_any_more_is_given_back(mended: NodeRepair) -> None:
    seen = marked("4:cordoned") if mended.status.cordon_epoch else node()

    move = ladder.next_move(view(mended, seen, CORDONS, ruled=False))

    assert isinstance(move, Release)
    assert move.reason is Reason.RULE_GONE


def test_a_fault_that_joined_keeps_a_repair_whose_rule_was_taken_away() -> None:
    other = Joined(rule="gpu-lost", since=NOON)
    both = structs.replace(cordoned(), status=structs.replace(cordoned().status, faults=(other,)))

    move = ladder.next_move(view(both, marked("4:cordoned"), CORDONS, ruled=False))

    assert not isinstance(move, Release)
