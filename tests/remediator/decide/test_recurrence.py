"""A fault that is back soon after it was mended goes on with the next remedy."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.repair import (
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    PhaseTime,
    Recurrence,
    Rung,
)
from remediator.decide import alerts, ladder, recurrence, waiting
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, Mark
from remediator.decide.moves import Move, Reason, Rest, Surrender, View, Wellness
from remediator.rules.alerting import Alerting
from remediator.rules.policy import Condemning, Policy
from remediator.rules.rule import Rule
from tests.builders import NOON, at, ledger, node, repair, rule, rules

MINUTE: Final = timedelta(minutes=1)
LADDER: Final = ("drain", "reset-gpu", "reboot", "replace")
POLICY: Final = Policy(condemned=Condemning(gpus=0, hosts=0))


def before(
    *tried: int,
    own: tuple[str, ...] = LADDER,
    ago: timedelta = 10 * MINUTE,
    phase: Phase = Phase.RECOVERED,
    reason: str = "Repaired",
    faults: tuple[Joined, ...] = (),
    name: str = "n1",
    parts: tuple[str, ...] = (),
    of: str = "disk-full",
) -> NodeRepair:
    status = NodeRepairStatus(
        phase=phase,
        reason=reason,
        tried=tried,
        rung=tried[-1],
        rung_since=NOON - ago,
        disruption_epoch=5,
        faults=faults,
        timeline=(PhaseTime(phase=phase, at=NOON - ago),),
    )
    made = repair(name, ladder=own, status=status)
    spec = structs.replace(made.spec, rule=of, parts=parts)
    return structs.replace(made, spec=spec)


def opened(
    *past: NodeRepair,
    own: tuple[str, ...] = LADDER,
    policy: Policy = POLICY,
    cooldown: timedelta | None = None,
    since: timedelta | None = None,
    parts: tuple[str, ...] = (),
    host: str = "",
    uid: str = "uid-n1",
    provider_id: str = "sim://machine-n1",
) -> NodeRepair:
    made = repair(ladder=own)
    target = structs.replace(made.spec.target, host=host, node_uid=uid, provider_id=provider_id)
    spec = structs.replace(made.spec, parts=parts, target=target)
    ruled = structs.replace(made, spec=spec)
    return recurrence.weighed(
        ruled,
        past,
        cooling(cooldown),
        policy,
        NOON,
        has_twin=False,
        since=None if since is None else NOON - since,
    )


def cooling(cooldown: timedelta | None) -> Rule:
    return replace(rule(ladder=LADDER), cooldown=cooldown)


def planned(found: NodeRepair) -> list[str]:
    return [each.action for each in found.spec.ladder]


def test_a_first_failure_begins_with_the_first_remedy() -> None:
    assert planned(opened()) == list(LADDER)
    assert opened().spec.recurs is None


@pytest.mark.parametrize(
    ("tried", "kept"),
    [
        ((0, 1), ["drain", "reboot", "replace"]),
        ((0, 1, 2), ["drain", "replace"]),
        ((0, 1, 2, 3), []),
    ],
)
def test_a_fault_that_is_back_goes_on_after_what_seemed_to_mend_it(
    tried: tuple[int, ...], kept: list[str]
) -> None:
    found = opened(before(*tried))

    assert planned(found) == kept
    assert found.spec.recurs == Recurrence(
        repair="n1-repair", ended_at=NOON - 10 * MINUTE, remedy=LADDER[tried[-1]]
    )


def test_what_went_on_once_goes_on_again() -> None:
    second = before(0, 1, own=("drain", "reboot", "replace"), ago=5 * MINUTE)

    assert planned(opened(before(0, 1), second)) == ["drain", "replace"]


def test_a_ladder_that_only_drains_is_not_repeated() -> None:
    assert planned(opened(before(0, own=("drain",)), own=("drain",))) == []


@pytest.mark.parametrize(
    "earlier",
    [
        before(0, 1, ago=60 * MINUTE),
        before(0, 1, phase=Phase.PARKED),
        before(0, 1, phase=Phase.NEEDS_HUMAN),
        before(0, reason="FaultGone"),
        before(0, 1, of="another"),
        before(0, 1, name="n2"),
    ],
    ids=["long ago", "parked", "never mended", "went away", "another fault", "another machine"],
)
def test_what_has_nothing_to_do_with_it_does_not_count(earlier: NodeRepair) -> None:
    assert planned(opened(earlier)) == list(LADDER)


def test_what_held_already_when_the_repair_before_ended_did_not_come_back() -> None:
    assert planned(opened(before(0, 1), since=11 * MINUTE)) == list(LADDER)
    assert planned(opened(before(0, 1), since=9 * MINUTE)) == ["drain", "reboot", "replace"]


def test_a_gpu_that_was_repaired_for_another_rule_goes_on_too() -> None:
    reset = before(0, 1, of="another", parts=("GPU-1", "sda"))

    assert planned(opened(reset, parts=("GPU-1",))) == ["drain", "reboot", "replace"]
    assert planned(opened(reset, parts=("GPU-2", "sda"))) == list(LADDER)


def test_a_fault_that_had_joined_goes_on_too() -> None:
    rungs = tuple(Rung(action=each) for each in LADDER)
    acted = Joined(rule="disk-full", mode=Mode.ENFORCE, since=NOON, ladder=rungs)
    watched = structs.replace(acted, mode=Mode.OBSERVE)
    own = ("drain", "reset-gpu")

    assert planned(opened(before(0, 1, own=own, of="x", faults=(acted,)))) == [
        "drain",
        "reboot",
        "replace",
    ]
    assert planned(opened(before(0, 1, own=own, of="x", faults=(watched,)))) == list(LADDER)


def test_a_reboot_for_another_fault_makes_a_reset_needless() -> None:
    acted = Joined(rule="disk-full", mode=Mode.ENFORCE, since=NOON)
    rebooted = before(0, 1, own=("drain", "reboot"), of="x", faults=(acted,))

    found = opened(rebooted, own=("drain", "reset-gpu", "replace"))

    assert planned(found) == ["drain", "replace"]


def test_a_remedy_that_the_ladder_does_not_have_leaves_it_as_it_is() -> None:
    served = before(0, own=("restart-service",))

    assert opened(served).spec.recurs is None


def test_the_same_machine_is_known_by_its_owners_name_and_by_its_firmwares() -> None:
    told = before(0, 1)
    named = structs.replace(
        told, spec=structs.replace(told.spec, target=structs.replace(told.spec.target, host="h1"))
    )

    assert planned(opened(told, uid="anew")) == ["drain", "reboot", "replace"]
    assert planned(opened(told, uid="anew", provider_id="other")) == list(LADDER)
    assert planned(opened(told, uid="anew", provider_id="")) == list(LADDER)
    assert planned(opened(named, uid="anew", host="h2")) == list(LADDER)
    assert planned(opened(named, uid="anew", host="h1", provider_id="x"))[1] == "reboot"


def test_how_soon_is_said_by_the_policy_and_else_by_the_rule() -> None:
    hasty = replace(POLICY, cooldown=5 * MINUTE)

    assert planned(opened(before(0, 1), policy=hasty)) == list(LADDER)
    assert planned(opened(before(0, 1), policy=hasty, cooldown=11 * MINUTE))[1] == "reboot"
    assert planned(opened(before(0, 1), cooldown=timedelta())) == list(LADDER)


def test_a_part_that_is_condemned_is_left_to_people_whatever_came_back() -> None:
    doomed = replace(POLICY, condemned=Condemning(gpus=2))

    found = opened(before(0, 1, parts=("GPU-1",)), policy=doomed, parts=("GPU-1",))

    assert found.spec.condemned is not None
    assert found.spec.condemned.part == Part(kind=PartKind.GPU, id="GPU-1")
    assert found.spec.recurs is None


# ---- what joins another repair ----


def joins(
    *past: NodeRepair,
    since: timedelta = MINUTE,
    gpus: tuple[str, ...] = (),
    leading: tuple[str, ...] = (),
    most: int = 0,
) -> Joined:
    known = rules(cooling(None), rule(name="leading"))
    mark = Mark(
        truth=Truth.HOLDS,
        since=NOON,
        confirmed=NOON - since,
        evidence=("it is full",),
        parts=gpus,
    )
    made = repair()
    spec = structs.replace(made.spec, rule="leading", parts=leading)
    held = Judgement(marks={"disk-full": mark})
    open_ = structs.replace(made, spec=spec)
    enforce = replace(POLICY, mode=Mode.ENFORCE, condemned=Condemning(gpus=most, hosts=0))
    (found,) = recurrence.joining(open_, held, known, enforce, NOON, past)
    return found


def test_a_fault_that_joins_goes_on_where_its_own_repair_left_off() -> None:
    again = joins(before(0, 1))

    assert [each.action for each in again.ladder] == ["drain", "reboot", "replace"]
    assert again.evidence == (
        "it is full",
        "the fault is back although reset-gpu seemed to mend it (n1-repair, 2026-01-01 11:50)",
    )


def test_a_fault_that_joins_for_the_first_time_begins_with_its_first_remedy() -> None:
    assert [each.action for each in joins().ladder] == list(LADDER)
    assert [each.action for each in joins(before(0, 1), since=11 * MINUTE).ladder] == list(LADDER)


def test_a_fault_that_joins_with_nothing_left_leaves_its_node_to_a_person() -> None:
    assert joins(before(0, 1, 2, 3)).ladder == ()


def test_a_fault_that_joins_with_a_part_of_its_own_that_failed_before_brings_it_condemned() -> None:
    doomed = joins(before(0, 1, parts=("GPU-1",), name="n7"), gpus=("GPU-1",), most=2)

    assert doomed.condemned is not None
    assert doomed.condemned.part == Part(kind=PartKind.GPU, id="GPU-1")
    assert [each.node for each in doomed.condemned.failures] == ["n7"]


def test_a_part_that_the_repair_was_weighed_for_already_is_not_weighed_again() -> None:
    past = before(0, 1, parts=("GPU-1",), name="n7")

    assert joins(past, gpus=("GPU-1",), leading=("GPU-1",), most=2).condemned is None
    assert joins(past, gpus=("GPU-2", "0000:3b:00.0"), most=2).condemned is None


def test_a_part_that_failed_already_when_its_repair_ended_is_not_condemned_by_joining() -> None:
    past = before(0, 1, parts=("GPU-1",), name="n7")

    assert joins(past, gpus=("GPU-1",), most=2, since=11 * MINUTE).condemned is None


# ---- what becomes of a repair for which nothing is left ----

EXHAUSTED: Final = opened(before(0, 1, 2, 3))
HELD: Final = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,), unschedulable=True)


def standing(found: NodeRepair, phase: Phase) -> NodeRepair:
    return structs.replace(found, status=NodeRepairStatus(phase=phase, cordon_epoch=4))


def move(found: NodeRepair, *, mode: Mode = Mode.ENFORCE) -> Move:
    watched = structs.replace(found, spec=structs.replace(found.spec, mode=mode))
    view = View(
        repair=watched,
        node=HELD,
        ledger=ledger(epoch=4, cordons={"n1": 4}),
        well=Wellness(holds=True, heard_at=at(1)),
        now=NOON,
        allowed=mode,
    )
    return ladder.next_move(view)


def test_a_person_is_called_where_no_remedy_is_left() -> None:
    called = move(standing(EXHAUSTED, Phase.CORDONED))

    assert isinstance(called, Surrender)
    assert called.reason == Reason.RECURRED
    assert called.message == (
        "the fault is back although replace seemed to mend it (n1-repair, 2026-01-01 11:50), and "
        "no remedy is left; delete this NodeRepair and the one before to have the node repaired "
        "from the first remedy on, or uncordon the node to have it left alone"
    )


def test_it_keeps_nobody_else_from_a_slot() -> None:
    assert waiting.queue([standing(EXHAUSTED, Phase.CORDONED)]) == []


def test_where_something_is_left_the_slot_is_asked_for() -> None:
    assert waiting.queue([standing(opened(before(0, 1)), Phase.CORDONED)]) != []
    assert not isinstance(move(standing(opened(before(0, 1)), Phase.CORDONED)), Surrender)


def test_observing_says_where_it_would_begin() -> None:
    left = move(standing(opened(before(0, 1, 2)), Phase.CONFIRMED), mode=Mode.OBSERVE)
    none = move(standing(EXHAUSTED, Phase.CONFIRMED), mode=Mode.OBSERVE)

    assert isinstance(left, Rest)
    assert isinstance(none, Rest)
    assert left.message.startswith(
        "would cordon n1, then drain, then replace, for the fault is back although reboot"
    )
    assert none.message.startswith("would cordon n1, then call a person, for the fault is back")


def test_people_are_told_what_did_not_last_and_what_to_delete() -> None:
    said = alerts.of_repair(standing(EXHAUSTED, Phase.NEEDS_HUMAN), Alerting(), "", NOON)

    assert "the fault is back although replace seemed to mend it" in said.description
    assert "kubectl delete noderepair n1-repair n1-repair" in said.description
