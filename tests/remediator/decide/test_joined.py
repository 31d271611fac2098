"""Two faults of one node are one repair, and no remedy of it is begun twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import (
    Intent,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
    Recovery,
    Rung,
    Severity,
)
from remediator.decide import alerts, joined, ladder, remedies, rungs, waiting
from remediator.decide.moves import (
    Climb,
    Cordon,
    Disrupt,
    Join,
    Mended,
    Move,
    NextRung,
    Other,
    Reason,
    Release,
    Rest,
    Surrender,
    View,
    Wellness,
)
from remediator.decide.verifying import VERIFY_PATIENCE
from remediator.rules.alerting import Alerting
from tests.builders import NOON, at, ledger, node, repair, slot

SICK: Final = Wellness(holds=True, heard_at=at(1))
WELL: Final = Wellness(over=True, since=at(-600), heard_at=at(1))
UNKNOWN: Final = Wellness()
CORDONS: Final = ledger(epoch=4, cordons={"n1": 4})
SLOTS: Final = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
CORDONED: Final = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,), unschedulable=True)
DISRUPTED: Final = node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)


def fault(
    *actions: str,
    rule: str = "second",
    severity: Severity = Severity.CRITICAL,
    mode: Mode = Mode.ENFORCE,
    verify: int = 60,
    since: datetime = NOON,
    parts: tuple[str, ...] = (),
) -> Joined:
    return Joined(
        rule=rule,
        severity=severity,
        mode=mode,
        since=since,
        ladder=tuple(Rung(action=each) for each in actions),
        verify_seconds=verify,
        evidence=("it is bad",),
        parts=parts,
    )


def mending(
    *faults: Joined,
    own: tuple[str, ...] = ("drain", "reset-gpu", "reboot"),
    phase: Phase = Phase.VERIFYING,
    tried: tuple[int, ...] = (0, 1),
    mode: Mode = Mode.ENFORCE,
) -> NodeRepair:
    begun = phase in {Phase.VERIFYING, Phase.REPAIRING, Phase.DRAINING}
    status = NodeRepairStatus(
        phase=phase,
        cordon_epoch=4,
        disruption_epoch=5 if begun else 0,
        faults=faults,
        rung=tried[-1] if tried else 0,
        rung_since=NOON if tried else None,
        tried=tried,
    )
    return repair(ladder=own, mode=mode, status=status)


def other(of: Joined, well: Wellness = SICK, allowed: Mode = Mode.ENFORCE) -> Other:
    return Other(fault=of, well=well, allowed=allowed)


def view(
    mended: NodeRepair,
    *others: Other,
    well: Wellness = SICK,
    seen: Node | None = DISRUPTED,
    now: datetime = NOON,
    joining: tuple[Joined, ...] = (),
) -> View:
    held = SLOTS if mended.status.disruption_epoch else CORDONS
    return View(
        repair=mended,
        node=seen,
        ledger=held,
        well=well,
        now=now,
        others=others,
        joining=joining,
        allowed=mended.spec.mode,
    )


def proven(at_: float) -> Wellness:
    return Wellness(over=True, since=NOON, heard_at=at(at_))


# ---- which faults join ----


def test_a_fault_that_holds_too_is_written_down_before_anything_is_disrupted() -> None:
    waiting = mending(phase=Phase.CORDONED, tried=())

    move = ladder.next_move(view(waiting, seen=CORDONED, joining=(fault("replace"),)))

    assert move == Join(faults=(fault("replace"),))


def test_a_cordon_waits_for_nothing() -> None:
    confirmed = mending(phase=Phase.CONFIRMED, tried=())

    move = ladder.next_move(view(confirmed, seen=node(), joining=(fault("replace"),)))

    assert move == Cordon()


@pytest.mark.parametrize("leading", [WELL, UNKNOWN], ids=["gone", "unknown"])
def test_a_fault_joins_before_the_cordon_where_the_leading_one_gives_no_reason_for_it(
    leading: Wellness,
) -> None:
    confirmed = mending(phase=Phase.CONFIRMED, tried=())
    without = view(confirmed, well=leading, seen=node(), joining=(fault("replace"),))

    assert isinstance(ladder.next_move(without), Join)


def test_a_fault_that_appears_while_the_node_proves_itself_joins_too() -> None:
    move = ladder.next_move(view(mending(), well=proven(90), joining=(fault("replace"),)))

    assert isinstance(move, Join)


def test_a_repair_that_waits_for_a_person_knows_what_else_befalls_its_node() -> None:
    hopeless = mending(phase=Phase.NEEDS_HUMAN)

    assert isinstance(ladder.next_move(view(hopeless, joining=(fault("drain"),))), Join)


@pytest.mark.parametrize("phase", [Phase.PARKED, Phase.RECOVERED])
def test_nothing_joins_what_is_left_alone(phase: Phase) -> None:
    move = ladder.next_move(view(mending(phase=phase), joining=(fault("drain"),)))

    assert isinstance(move, Rest)


def test_no_more_join_than_can_be_written_down() -> None:
    many = tuple(fault("drain", rule=f"r{n}") for n in range(20))

    move = joined.joins(view(mending(*many[:14]), joining=many[14:]))

    assert move == Join(faults=many[14:16])
    assert joined.joins(view(mending(*many[:16]), joining=many[16:])) is None


def test_what_joins_is_kept_with_a_line_of_the_log() -> None:
    watched = fault("drain", rule="third", mode=Mode.OBSERVE)

    status = joined.written(mending().status, Join(faults=(fault("drain"), watched)), NOON)

    assert status.faults == (fault("drain"), watched)
    assert [each.text for each in status.log] == [
        "second holds too: it is bad",
        "third holds too (mode observe): it is bad",
    ]


# ---- which remedies there are ----


def test_a_fault_that_joins_adds_only_the_remedies_that_are_not_there() -> None:
    whole = joined.ladder(mending(fault("drain", "reboot", "replace"), fault("replace", rule="c")))

    assert [each.action for each in whole] == ["drain", "reset-gpu", "reboot", "replace"]


def test_what_an_earlier_version_wrote_down_tells_what_was_tried() -> None:
    old = repair(status=NodeRepairStatus(phase=Phase.REPAIRING, rung=1, rung_since=NOON))

    assert joined.tried(old) == (0, 1)
    assert joined.tried(repair()) == ()


def test_what_only_watches_is_no_fault_that_the_repair_is_for() -> None:
    watched = fault("replace", rule="w", mode=Mode.OBSERVE, severity=Severity.CRITICAL)
    minor = structs.replace(
        mending(watched), spec=structs.replace(mending().spec, severity=Severity.WARNING)
    )

    assert joined.rules(minor) == ("disk-full",)
    assert joined.severity(minor) is Severity.WARNING
    assert joined.severity(mending(fault("drain"))) is Severity.CRITICAL


def test_a_remedy_is_for_the_parts_of_those_faults_that_ask_for_it() -> None:
    both = mending(
        fault("drain", "reset-gpu", parts=("GPU-2",)), fault("replace", rule="c", parts=("sda",))
    )
    both = structs.replace(both, spec=structs.replace(both.spec, parts=("GPU-1",)))

    assert joined.parts(both) == ("GPU-1", "GPU-2", "sda")
    assert joined.parts(both, "reset-gpu") == ("GPU-1", "GPU-2")
    assert joined.parts(both, "replace") == ("sda",)


# ---- before anything is disrupted ----


def test_a_repair_goes_on_for_what_joined_when_its_first_fault_is_gone() -> None:
    second = fault("drain", "replace")
    waiting = mending(second, phase=Phase.CORDONED, tried=())
    seen = view(waiting, other(second, replace(SICK, heard_at=at(2))), well=WELL, seen=CORDONED)

    assert ladder.next_move(seen) == Disrupt()
    assert joined.first(seen) == 0


@pytest.mark.parametrize("allowed", [Mode.OFF, Mode.OBSERVE])
def test_what_may_not_act_keeps_no_node(allowed: Mode) -> None:
    second = fault("drain", "replace")
    waiting = mending(second, phase=Phase.CORDONED, tried=())

    move = ladder.next_move(view(waiting, other(second, SICK, allowed), well=WELL, seen=CORDONED))

    assert isinstance(move, Release)
    assert move.reason is Reason.FAULT_GONE


def test_all_must_be_over_by_evidence_that_is_newer_than_their_joining() -> None:
    second = fault("drain", since=at(60))
    waiting = mending(second, phase=Phase.CORDONED, tried=())
    stale = view(waiting, other(second, WELL), well=WELL, seen=CORDONED)
    known = view(waiting, other(second, proven(61)), well=WELL, seen=CORDONED)

    assert isinstance(ladder.next_move(stale), Rest)
    assert isinstance(ladder.next_move(known), Release)


def test_what_is_unknown_begins_nothing_but_what_is_there_does() -> None:
    second = fault("restart-service")
    waiting = mending(second, phase=Phase.CORDONED, tried=())
    seen = view(waiting, other(second), well=UNKNOWN, seen=CORDONED)

    assert ladder.next_move(seen) == Disrupt()
    assert joined.ladder(waiting)[joined.first(seen)].action == "restart-service"


@pytest.mark.parametrize(("well", "calls"), [(UNKNOWN, False), (WELL, True)])
def test_a_fault_without_a_remedy_is_no_reason_to_begin_that_of_another_one(
    well: Wellness, *, calls: bool
) -> None:
    exhausted = fault()
    waiting = mending(exhausted, phase=Phase.CORDONED, tried=())

    move = ladder.next_move(view(waiting, other(exhausted), well=well, seen=CORDONED))

    assert isinstance(move, Surrender if calls else Rest)
    assert move.reason == (Reason.RECURRED if calls else Reason.EVIDENCE_MISSING)


def test_without_any_evidence_the_first_remedy_would_be_the_first() -> None:
    assert joined.first(view(mending(tried=()), well=UNKNOWN)) == 0


# ---- the next remedy ----


NEXT: Final = [
    # own ladder, tried, joined ladder, what comes next
    (("drain", "reset-gpu", "reboot"), (0, 1), ("drain", "replace"), "replace"),
    (("drain", "reset-gpu", "reboot"), (0, 1), ("drain", "reboot", "replace"), "reboot"),
    (("drain", "reset-gpu"), (0, 1), ("drain", "reset-gpu", "reboot"), "reboot"),
    (("drain", "reboot"), (0, 1), ("drain", "reset-gpu", "replace"), "replace"),
    (("drain", "reboot"), (0, 1), ("drain", "reset-gpu"), None),
    (("drain", "replace"), (0, 1), ("drain", "reboot"), None),
    (("drain", "reset-gpu"), (0, 1), ("restart-service",), "restart-service"),
    (("restart-service",), (0,), ("drain", "reboot"), "drain"),
    (("reboot",), (0,), ("drain", "reboot", "replace"), "drain"),
    (("reboot",), (0,), ("drain", "reboot"), None),
    (("drain", "reboot"), (0, 1), ("drain",), None),
    (("restart-service",), (0,), ("drain",), "drain"),
]


@pytest.mark.parametrize(("own", "tried", "second", "following"), NEXT)
def test_what_joined_goes_on_with_what_its_own_ladder_still_has(
    own: tuple[str, ...], tried: tuple[int, ...], second: tuple[str, ...], following: str | None
) -> None:
    too = fault(*second)
    repaired = mending(too, own=own, tried=tried)

    number = joined.onward(view(repaired, other(too), well=proven(90)))

    got = None if number is None else joined.ladder(repaired)[number].action
    assert got == following


def test_the_leading_fault_goes_first_until_it_is_over() -> None:
    too = fault("drain", "replace")

    assert joined.onward(view(mending(too), other(too))) == 2
    assert joined.onward(view(mending(too), other(too), well=proven(90))) == 3


def test_where_the_leading_one_has_no_remedy_left_the_others_go_on() -> None:
    too = fault("drain", "replace")
    exhausted = view(mending(too, tried=(0, 1, 2)), other(too))

    assert rungs.after(exhausted, "no boot") == NextRung(rung=3, message="no boot")


def test_of_those_that_joined_the_worst_goes_first_and_then_the_one_that_reaches_furthest() -> None:
    minor = fault("restart-service", rule="minor", severity=Severity.WARNING)
    near, far = fault("power-cycle", rule="near"), fault("replace", rule="far")
    nothing = fault(rule="nothing")
    seen = view(mending(minor, near, far, nothing), *map(other, (minor, near, far, nothing)))

    order = [each.fault.rule for each in joined.counted(seen)]

    assert order == ["far", "near", "nothing", "minor"]


def test_a_machine_that_somebody_replaced_needs_nothing_less() -> None:
    too = fault("drain", "reboot")
    anew = node(uid="another", fence="5:disrupted")

    seen = view(mending(too, own=("drain", "reset-gpu")), other(too), well=proven(90), seen=anew)

    assert joined.onward(seen) is None


def carried_out(*, allowed: Mode, intent: Intent | None = None) -> Move:
    too = fault("drain", "replace")
    going = mending(too, phase=Phase.REPAIRING, tried=(0, 1, 3))
    going = structs.replace(going, status=structs.replace(going.status, intent=intent))
    return ladder.next_move(view(going, other(too, SICK, allowed), well=proven(90)))


def test_a_remedy_is_left_when_the_rule_that_asked_for_it_may_not_act_any_more() -> None:
    left = carried_out(allowed=Mode.OBSERVE)

    assert isinstance(carried_out(allowed=Mode.ENFORCE), Climb)
    assert isinstance(left, Mended)
    assert left.message == "replace is not carried out: the rule that asked for it may not act"


def test_a_drain_rests_until_the_rule_that_asked_for_it_may_act_again() -> None:
    too = fault("drain", "replace")
    going = mending(too, own=("restart-service",), phase=Phase.DRAINING, tried=(0, 1))

    move = ladder.next_move(view(going, other(too, SICK, Mode.OBSERVE), well=proven(90)))

    assert isinstance(move, Rest)
    assert (move.phase, move.reason) == (Phase.DRAINING, Reason.MODE)


def test_what_was_ordered_is_followed_whatever_its_rule_says_now() -> None:
    ordered = Intent(action="replace", key="k", issued_at=NOON)

    assert isinstance(carried_out(allowed=Mode.OFF, intent=ordered), Climb)


# ---- recovery while draining ----


def aborting(mended: NodeRepair, how: Recovery = Recovery.ABORT) -> NodeRepair:
    return structs.replace(mended, spec=structs.replace(mended.spec, on_recovery=how))


DRAINING: Final = aborting(mending(phase=Phase.DRAINING, tried=(0,)))


def test_a_drain_rests_as_soon_as_its_node_is_well_and_ends_once_that_is_proven() -> None:
    resting = ladder.next_move(view(DRAINING, well=proven(30), now=at(59)))
    over = ladder.next_move(view(DRAINING, well=proven(30), now=at(60)))

    assert isinstance(resting, Rest)
    assert (resting.phase, resting.reason) == (Phase.DRAINING, Reason.RECOVERING)
    assert resting.until == at(60)
    assert isinstance(over, Release)
    assert over.reason is Reason.FAULT_GONE


def test_a_drain_goes_on_when_the_fault_is_back() -> None:
    assert isinstance(ladder.next_move(view(DRAINING)), Climb)


def test_a_drain_goes_on_where_the_rule_wants_it_finished() -> None:
    finishing = aborting(DRAINING, Recovery.FINISH)

    assert isinstance(ladder.next_move(view(finishing, well=proven(30), now=at(60))), Climb)


def test_a_node_that_is_not_ready_is_drained_on() -> None:
    down = node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True, ready=False)

    assert isinstance(ladder.next_move(view(DRAINING, well=proven(30), seen=down)), Climb)


def test_a_well_node_that_has_not_proven_it_long_enough_is_looked_at_with_the_next_news() -> None:
    brief = Wellness(since=NOON, over=False, heard_at=at(30))
    too = fault("drain")
    late = structs.replace(too, on_recovery=Recovery.ABORT)
    begun = structs.replace(DRAINING, status=structs.replace(DRAINING.status, faults=(late,)))
    seen = view(begun, other(late, proven(30)), well=proven(30), now=at(90))
    unproven = replace(seen, well=brief)

    assert isinstance(ladder.next_move(seen), Release)
    assert isinstance(ladder.next_move(unproven), Climb)


def test_one_rule_that_wants_it_finished_is_enough() -> None:
    finish = fault("drain", "replace")
    seen = view(DRAINING, other(finish, proven(30)), well=proven(30), now=at(60))

    assert isinstance(ladder.next_move(seen), Climb)


def test_nothing_is_aborted_once_a_remedy_has_begun_or_something_was_ordered() -> None:
    ordered = Intent(action="power-off", key="k", issued_at=NOON)
    later = structs.replace(DRAINING.status, tried=(1, 0))
    sent = structs.replace(DRAINING.status, intent=ordered)
    for status in (later, sent):
        going = structs.replace(DRAINING, status=status)
        assert isinstance(ladder.next_move(view(going, well=proven(30), now=at(60))), Climb)


# ---- proving a node well ----


def test_a_node_is_given_back_when_all_its_faults_are_over() -> None:
    too = fault("drain", "replace")
    seen = view(mending(too), other(too, proven(90)), well=proven(90), now=at(90))

    move = ladder.next_move(seen)

    assert isinstance(move, Release)
    assert move.reason is Reason.REPAIRED


@pytest.mark.parametrize("second", [UNKNOWN, proven(-1)], ids=["unknown", "old"])
def test_a_node_is_not_given_back_while_one_of_its_faults_is_not_known_to_be_over(
    second: Wellness,
) -> None:
    too = fault("drain", "replace")

    move = ladder.next_move(view(mending(too), other(too, second), well=proven(90), now=at(90)))

    assert isinstance(move, Rest)
    assert move.message == "waits for second's signals to be known and good"


def test_the_longest_time_to_verify_holds_for_all() -> None:
    too = fault("drain", verify=300)
    early = view(mending(too), other(too, proven(90)), well=proven(90), now=at(299))
    late = view(mending(too), other(too, proven(90)), well=proven(90), now=at(300))

    assert isinstance(ladder.next_move(early), Rest)
    assert isinstance(ladder.next_move(late), Release)
    assert joined.longest_verify(mending(too)) == timedelta(minutes=5)


def drains(
    *settings: Mapping[str, str], mode: Mode = Mode.ENFORCE
) -> tuple[NodeRepair, list[Rung]]:
    rungs_ = [Rung(action="drain", settings=each) for each in settings]
    faults = (
        structs.replace(fault("replace", rule=str(n), mode=mode), ladder=(each, REPLACE))
        for n, each in enumerate(rungs_)
    )
    return mending(*faults, own=("drain", "replace"), tried=(0,), phase=Phase.DRAINING), rungs_


REPLACE: Final = Rung(action="replace")


def test_one_drain_is_for_those_of_all_faults_whatever_settings_they_have() -> None:
    going, (patient, evicting) = drains({"deadline": "4h"}, {"onDeadline": "evict"})

    assert joined.alike(going, 0) == (Rung(action="drain"), patient, evicting)
    assert joined.alike(going, 2) == (evicting, Rung(action="drain"), patient)
    assert joined.alike(going, 1) == (REPLACE,)


def test_the_drain_of_what_only_observes_or_was_dropped_counts_for_nothing() -> None:
    watched, _ = drains({"deadline": "4h"}, mode=Mode.OBSERVE)
    dropped, _ = drains({"deadline": "4h"}, mode=Mode.OFF)

    assert joined.alike(watched, 0) == joined.alike(dropped, 0) == (Rung(action="drain"),)


def test_a_drain_that_is_as_patient_as_a_fault_that_joined_wants_it_is_no_page() -> None:
    quick, _ = drains()
    patient, _ = drains({"deadline": "4h"})

    ends = [alerts.due(timed(each), Alerting(), NOON) for each in (quick, patient)]
    first, later = ends
    assert first is not None
    assert later == first + timedelta(hours=3.5)


def timed(repair_: NodeRepair) -> NodeRepair:
    stays = (PhaseTime(phase=Phase.DRAINING, at=NOON),)
    return structs.replace(repair_, status=structs.replace(repair_.status, timeline=stays))


def still(heard: float, now: float, leading: Wellness | None = None) -> Move:
    too = fault("drain", "replace")
    sick = Wellness(holds=True, heard_at=at(heard))
    seen = view(mending(too), other(too, sick), well=leading or proven(90), now=at(now))
    return ladder.next_move(seen)


def test_what_outlived_the_remedy_of_the_leading_fault_gets_its_own() -> None:
    assert still(90, 90) == NextRung(rung=3, message="disk-full is over, but second still holds")


def test_it_must_have_had_the_time_in_which_a_node_proves_well() -> None:
    assert isinstance(still(30, 59), Rest)


def test_it_must_be_there_by_evidence_newer_than_the_remedy() -> None:
    assert isinstance(still(-1, 90), Rest)


def test_while_the_leading_fault_is_not_over_its_own_ladder_goes_on() -> None:
    late = VERIFY_PATIENCE.total_seconds() + 60

    assert isinstance(still(90, 90, SICK), Rest)
    following = still(90, late, SICK)
    assert isinstance(following, NextRung)
    assert following.rung == 2


def test_a_fault_for_which_no_remedy_is_left_has_until_the_end_to_go_away() -> None:
    too = fault("drain", "reset-gpu")
    seen = view(mending(too), other(too, Wellness(holds=True, heard_at=at(90))), well=proven(90))

    late = replace(seen, now=at(VERIFY_PATIENCE.total_seconds() + 60))

    assert isinstance(ladder.next_move(replace(seen, now=at(90))), Rest)
    assert isinstance(ladder.next_move(late), Surrender)


# ---- what people hear ----


def test_people_hear_of_one_incident_that_names_all_its_faults() -> None:
    both = mending(fault("drain"), fault("replace", rule="watched", mode=Mode.OBSERVE))

    said = alerts.of_repair(both, Alerting(), "", NOON)

    assert said.summary.startswith("disk-full and second on n1")
    assert "second holds too: it is bad" in said.description
    assert "watched holds too (mode observe): it is bad" in said.description
    assert said.labels["rule"] == "disk-full"


def test_a_worse_fault_that_joins_lets_the_node_go_first() -> None:
    minor = structs.replace(
        mending(fault("drain")), spec=structs.replace(mending().spec, severity=Severity.INFO)
    )

    assert waiting.rank(minor) < waiting.rank(repair("n0", severity=Severity.WARNING))


# ---- whatever happens ----

ACTIONS: Final = ("drain", "restart-service", "reset-gpu", "reboot", "power-cycle", "replace")
LADDERS: Final = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=5, unique=True)
STATES: Final = st.sampled_from([SICK, WELL, UNKNOWN])


def climbed(own: Sequence[str], others: Sequence[Sequence[str]], draw: st.DataObject) -> list[str]:
    """Climb until no remedy is left, with the faults coming and going as they like."""
    faults = tuple(fault(*each, rule=f"r{n}") for n, each in enumerate(others))
    repaired, carried_out = mending(own=tuple(own), tried=()), list[str]()
    for _ in range(30):
        known = repaired.status.faults
        seen = view(
            repaired, *(other(each, draw.draw(STATES)) for each in known), well=draw.draw(STATES)
        )
        number = joined.onward(seen) if repaired.status.tried else joined.first(seen)
        if number is None:
            return carried_out
        carried_out.append(joined.ladder(repaired)[number].action)
        status = structs.replace(
            repaired.status,
            rung=number,
            tried=(*repaired.status.tried, number),
            faults=faults[: len(known) + draw.draw(st.integers(0, 1))],
        )
        repaired = structs.replace(repaired, status=status)
    raise AssertionError("it never ends")


@given(LADDERS, st.lists(LADDERS, max_size=3), st.data())
def test_no_remedy_is_carried_out_twice_in_an_incident_and_every_climb_ends(
    own: list[str], others: list[list[str]], draw: st.DataObject
) -> None:
    carried_out = climbed(own, others, draw)

    assert len(carried_out) == len(set(carried_out))


@given(LADDERS, LADDERS, st.data())
def test_a_drain_that_a_ladder_asks_for_is_never_left_out_before_what_comes_after_it(
    own: list[str], second: list[str], draw: st.DataObject
) -> None:
    too = fault(*second)
    begun = tuple(draw.draw(st.lists(st.integers(0, len(own) - 1), min_size=1, unique=True)))
    repaired = mending(too, own=tuple(own), tried=begun)

    number = joined.onward(view(repaired, other(too), well=proven(90)))

    if number is not None:
        action = joined.ladder(repaired)[number].action
        before = second[: second.index(action)]
        assert action in second
        assert remedies.PREPARES.isdisjoint(before) or "drain" in {
            each.action for each in joined.done(repaired)
        }
