"""A mended node whose signals are good takes no work before its burn-in has passed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import BurnIn, BurningIn, NodeRepairStatus, Phase
from remediator.decide import admissions, ladder, plan, rungs
from remediator.decide.moves import Burn, Move, NextRung, Reason, Release, Rest, View, Wellness
from remediator.decide.verifying import VERIFY_PATIENCE
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
