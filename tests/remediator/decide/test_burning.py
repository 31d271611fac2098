"""A mended node whose signals are good takes no work before its burn-in has passed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import (
    BurnIn,
    BurningIn,
    Joined,
    Mode,
    NodeRepairStatus,
    Phase,
    PhaseTime,
    Rung,
)
from remediator.decide import admissions, alerts, burnins, ladder, plan, rungs, verifying
from remediator.decide.moves import (
    Burn,
    Move,
    NextRung,
    Other,
    Reason,
    Release,
    Rest,
    Trade,
    View,
    Wellness,
)
from remediator.decide.verifying import VERIFY_PATIENCE
from remediator.rules.alerting import Alerting
from remediator.rules.policy import BurnIn as Wanted
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule
from tests.builders import NOON, at, ledger, node, repair, rule, slot

WELL = Wellness(over=True, since=at(-600), heard_at=at(1))
SICK = Wellness(holds=True, heard_at=at(1))
SLOTS = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
PASSED = at(2000)


def marked(uid: str = "") -> Node:
    return node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True, uid=uid)


def move(
    burning: BurningIn | None,
    *,
    well: Wellness = WELL,
    now: datetime,
    wanted: bool = True,
) -> Move:
    status = NodeRepairStatus(
        phase=Phase.VERIFYING,
        cordon_epoch=4,
        disruption_epoch=5,
        rung=0,
        tried=(0,),
        rung_since=NOON,
        burn_in=burning,
    )
    mended = repair(status=status)
    burn_in = BurnIn(template="stress", deadline_seconds=1800) if wanted else None
    mended = structs.replace(mended, spec=structs.replace(mended.spec, burn_in=burn_in))
    return ladder.next_move(View(repair=mended, node=marked(), ledger=SLOTS, well=well, now=now))


def test_a_node_that_is_well_burns_in_before_it_is_given_back() -> None:
    assert isinstance(move(None, now=at(61)), Burn)
    assert isinstance(move(None, now=at(61), wanted=False), Release)


def test_a_node_that_is_not_well_yet_does_not_burn_in() -> None:
    assert isinstance(move(None, now=at(30)), Rest)
    assert isinstance(move(None, now=at(61), well=SICK), Rest)


def test_a_burn_in_that_began_goes_on_however_long_it_takes() -> None:
    assert isinstance(move(BurningIn(since=at(61)), now=at(7000), well=SICK), Burn)


def test_a_node_that_passed_and_is_well_is_given_back() -> None:
    passed = BurningIn(since=at(61), job="j", claimed_at=at(62), passed_at=PASSED)

    given = move(passed, now=at(2001))

    assert isinstance(given, Release)
    assert given.reason is Reason.REPAIRED


def test_a_node_that_fell_sick_while_it_burned_in_has_as_long_again_to_prove_well() -> None:
    passed = BurningIn(since=at(61), job="j", claimed_at=at(62), passed_at=PASSED)
    late = PASSED + VERIFY_PATIENCE + timedelta(seconds=60)

    assert isinstance(move(passed, now=late - timedelta(seconds=1), well=SICK), Rest)
    assert isinstance(move(passed, now=late, well=SICK), NextRung)


def test_a_successor_may_burn_in_under_another_uid_but_is_not_drained() -> None:
    status = NodeRepairStatus(phase=Phase.VERIFYING, disruption_epoch=5)
    verifying = repair(status=status)
    draining = repair(status=structs.replace(status, phase=Phase.DRAINING))

    assert admissions.disruption_refusal(verifying, marked("uid-new"), SLOTS) == ""
    assert admissions.disruption_refusal(draining, marked("uid-new"), SLOTS)


def test_a_burn_in_waits_for_nothing_that_holds_up_disruption() -> None:
    status = NodeRepairStatus(phase=Phase.VERIFYING, burn_in=BurningIn(since=NOON))

    assert rungs.is_under_way(repair(status=status))
    assert not rungs.is_under_way(repair(status=structs.replace(status, burn_in=None)))


STRESS = BurnIn(template="stress", deadline_seconds=1800)
SOAK = BurnIn(template="soak", deadline_seconds=60)


def several(*faults: Joined, own: BurnIn | None = STRESS, burning: BurningIn | None = None) -> View:
    status = NodeRepairStatus(
        phase=Phase.VERIFYING,
        cordon_epoch=4,
        disruption_epoch=5,
        tried=(0,),
        rung_since=NOON,
        burn_in=burning,
        faults=faults,
    )
    mended = repair(status=status)
    mended = structs.replace(mended, spec=structs.replace(mended.spec, burn_in=own))
    others = tuple(Other(fault=each, well=WELL, allowed=Mode.ENFORCE) for each in faults)
    now = at(61) if burning is None else at(2001)
    return View(repair=mended, node=marked(), ledger=SLOTS, well=WELL, now=now, others=others)


def fault(rule: str, burn_in: BurnIn | None, mode: Mode = Mode.ENFORCE) -> Joined:
    return Joined(rule=rule, since=NOON, mode=mode, burn_in=burn_in, ladder=(Rung(action="drain"),))


def passed(last: BurnIn | None, *before: str) -> BurningIn:
    return BurningIn(
        since=at(61), wanted=last, passed=before, job="j", claimed_at=at(62), passed_at=PASSED
    )


def test_the_burn_in_of_a_fault_that_joined_has_to_pass_where_the_leading_one_has_none() -> None:
    assert ladder.next_move(several(fault("b", SOAK), own=None)) == Burn(wanted=SOAK)


def test_burn_ins_follow_one_another_and_that_of_the_leading_fault_goes_first() -> None:
    both = fault("b", SOAK), fault("c", None), fault("d", SOAK)

    assert ladder.next_move(several(*both)) == Burn(wanted=STRESS)
    assert ladder.next_move(several(*both, burning=passed(STRESS))) == Burn(wanted=SOAK)
    last = ladder.next_move(several(*both, burning=passed(SOAK, "stress")))
    assert isinstance(last, Release)


def test_one_that_an_earlier_version_began_is_that_of_the_frozen_plan() -> None:
    begun = BurningIn(since=at(61))

    assert ladder.next_move(several(fault("b", SOAK), burning=begun)) == Burn(wanted=STRESS)
    following = ladder.next_move(several(fault("b", SOAK), burning=passed(None)))
    assert following == Burn(wanted=SOAK)
    assert isinstance(ladder.next_move(several(own=None, burning=passed(None))), Release)


def test_a_template_that_two_faults_ask_for_passes_once_within_the_longer_deadline() -> None:
    longer = BurnIn(template="stress", deadline_seconds=3600)
    seen = several(fault("b", longer), fault("c", SOAK))

    assert burnins.wanted(seen) == (longer, SOAK)
    assert burnins.asked(seen.repair) == (longer, SOAK)


def test_what_only_observes_or_was_dropped_burns_nothing_in() -> None:
    others = fault("b", SOAK, mode=Mode.OFF)
    watched = several(fault("c", SOAK), own=None)
    watched = replace(watched, others=(replace(watched.others[0], allowed=Mode.OBSERVE),))

    assert isinstance(ladder.next_move(several(others, own=None)), Release)
    assert isinstance(ladder.next_move(watched), Release)


def test_nothing_begins_and_no_node_is_given_back_while_a_pod_of_a_job_may_run() -> None:
    for seen in (several(), several(own=None), several(burning=passed(STRESS))):
        waits = ladder.next_move(replace(seen, lingering="Pod left"))

        assert isinstance(waits, Rest)
        assert (waits.reason, waits.until) == (Reason.JOB_LINGERS, seen.now + rungs.LOOK_AGAIN)
        assert "Pod left" in waits.message


def test_a_pod_that_never_ends_leads_on_as_a_node_does_that_is_never_well() -> None:
    late = replace(several(own=None), lingering="Pod left", now=at(61) + VERIFY_PATIENCE)

    assert isinstance(ladder.next_move(late), NextRung)


def test_who_called_a_person_keeps_the_slot_while_a_pod_of_a_job_may_run() -> None:
    seen = several()
    status = structs.replace(seen.repair.status, phase=Phase.NEEDS_HUMAN, reason="LadderExhausted")
    hopeless = replace(seen, repair=structs.replace(seen.repair, status=status))

    waits = ladder.next_move(replace(hopeless, lingering="Pod left"))

    assert waits == Rest(
        phase=Phase.NEEDS_HUMAN,
        reason="LadderExhausted",
        until=seen.now + rungs.LOOK_AGAIN,
    )
    assert isinstance(ladder.next_move(hopeless), Trade)


def test_who_uncordons_a_node_is_given_way_to_although_a_pod_of_a_job_may_run() -> None:
    seen = several()
    status = structs.replace(seen.repair.status, phase=Phase.NEEDS_HUMAN)
    opened = node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,))
    left = replace(seen, repair=structs.replace(seen.repair, status=status), node=opened)

    given = ladder.next_move(replace(left, lingering="Pod left"))

    assert isinstance(given, Release)
    assert given.reason is Reason.UNCORDONED


def test_only_who_may_have_run_jobs_looks_for_what_they_left() -> None:
    ran = NodeRepairStatus(phase=Phase.VERIFYING, rung=1, tried=(0, 1), rung_since=NOON)

    assert burnins.may_linger(several().repair)
    assert burnins.may_linger(repair(ladder=("drain", "run-job", "replace"), status=ran))
    assert not burnins.may_linger(repair(ladder=("drain", "reboot", "run-job"), status=ran))
    draining = structs.replace(ran, phase=Phase.DRAINING)
    assert not burnins.may_linger(repair(ladder=("drain", "run-job", "replace"), status=draining))


def test_what_a_mended_node_may_take_begins_anew_after_each_burn_in() -> None:
    once = VERIFY_PATIENCE + timedelta(minutes=5)
    ran = burnins.task(STRESS).longest + burnins.task(SOAK).longest

    assert verifying.longest(timedelta(minutes=5), ()) == once
    assert verifying.longest(timedelta(minutes=5), (STRESS, SOAK)) == 3 * once + ran


def test_a_node_that_burns_in_is_no_page_about_ourselves_before_its_time() -> None:
    long = BurnIn(template="stress", deadline_seconds=10 * 3600)
    seen = several(own=long).repair
    stays = (PhaseTime(phase=Phase.VERIFYING, at=NOON),)
    record = structs.replace(seen, status=structs.replace(seen.status, timeline=stays))

    proof = verifying.longest(timedelta(minutes=1), (long,))
    assert alerts.due(record, Alerting(), NOON) == NOON + proof + alerts.MARGIN


POLICY = Policy(burn_in=Wanted(template="all", deadline=timedelta(minutes=10)))


@pytest.mark.parametrize(
    ("own", "steps", "wanted"),
    [
        (None, ("drain",), "all"),
        (Wanted(template="own"), ("drain",), "own"),
        (None, (), None),
    ],
)
def test_a_rules_own_burn_in_goes_before_that_of_the_policy(
    own: Wanted | None, steps: tuple[str, ...], wanted: str | None
) -> None:
    asked = plan.burn_in(asking(own, steps), POLICY)

    assert (asked.template if asked is not None else None) == wanted


def asking(own: Wanted | None, steps: tuple[str, ...]) -> Rule:
    return replace(rule(ladder=steps), burn_in=own)
