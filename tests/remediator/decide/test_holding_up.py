"""A repair that has its slot begins no step that is forbidden; what was ordered is carried out."""

from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import Fencing, Intent, NodeRepair, NodeRepairStatus, Phase, Proof
from remediator.decide import alerts, ladder, rungs
from remediator.decide.fencing import ORDER
from remediator.decide.limits import Refused, Why
from remediator.decide.moves import (
    Climb,
    Move,
    NextRung,
    Prove,
    Release,
    Rest,
    Resume,
    Surrender,
    View,
    Wellness,
)
from remediator.rules.alerting import Alerting, Urgency
from tests.builders import NOON, at, ledger, node, repair, slot

SHUT = Refused(why=Why.DISRUPTION_CLOSED, message="disruption is closed")
SLOTS = ledger(epoch=5, slots={"n1": slot(5)})
ORDERED = Intent(action=ORDER, key="k", issued_at=NOON)
REPLACING = Intent(action="replace", key="k", issued_at=NOON)
PROVEN = Fencing(since=NOON, method=Proof.GONE, at=NOON)
WELL = Wellness(over=True, since=at(-600), heard_at=at(3000))


def working(
    phase: Phase,
    *,
    rung: int = 0,
    intent: Intent | None = None,
    fencing: Fencing | None = None,
    held: bool = False,
) -> NodeRepair:
    status = NodeRepairStatus(
        phase=phase,
        disruption_epoch=5,
        rung=rung,
        rung_since=NOON,
        intent=intent,
        fencing=fencing,
        held_since=at(60) if held else None,
    )
    return repair(status=status)


def seen() -> Node:
    return node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)


def move(
    mended: NodeRepair,
    shut: Refused | None = SHUT,
    *,
    after: float = 0,
    well: Wellness | None = None,
) -> Move:
    view = View(
        repair=mended,
        node=seen(),
        ledger=SLOTS,
        well=well or Wellness(),
        now=at(after),
        shut=shut,
    )
    return ladder.next_move(view)


@pytest.mark.parametrize(
    "mended",
    [
        working(Phase.DRAINING),
        working(Phase.DRAINING, intent=ORDERED),
        working(Phase.REPAIRING, rung=1),
        working(Phase.FENCING),
    ],
    ids=["a pass of a drain", "a drain after an order to switch off", "a remedy", "a fence"],
)
def test_what_was_not_begun_waits_in_its_phase(mended: NodeRepair) -> None:
    rest = move(mended)

    assert rest == Rest(
        phase=mended.status.phase,
        reason="DisruptionClosed",
        message="disruption is closed",
        until=NOON + rungs.LOOK_AGAIN,
        held=True,
    )


@pytest.mark.parametrize(
    ("mended", "kind"),
    [
        (working(Phase.REPAIRING, rung=1, intent=REPLACING), Climb),
        (working(Phase.FENCING, intent=ORDERED), Prove),
        (working(Phase.FENCING, fencing=PROVEN), Prove),
    ],
    ids=["a replacement", "an order to switch off", "a proof"],
)
def test_what_was_ordered_is_carried_through(mended: NodeRepair, kind: type[Move]) -> None:
    assert isinstance(move(mended), kind)


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.REPAIRING, Phase.FENCING])
def test_a_step_that_is_allowed_again_goes_on(phase: Phase) -> None:
    assert move(working(phase, held=True), None) == Resume()


def test_the_time_of_a_rung_stands_still_while_its_step_is_forbidden() -> None:
    began = structs.replace(
        working(Phase.FENCING, fencing=Fencing(since=at(30))).status, held_seconds=5
    )

    held = rungs.held_up(rungs.held_up(began, at(100)), at(200))
    resumed = rungs.resumed(held, at(400))

    assert held.held_since == at(100)
    assert resumed.held_since is None
    assert (resumed.rung_since, resumed.fencing) == (at(300), Fencing(since=at(330)))
    assert resumed.held_seconds == 305


def test_a_rung_that_had_not_begun_has_no_time_to_go_on_from() -> None:
    held = NodeRepairStatus(held_since=NOON)

    assert rungs.resumed(held, at(60)).rung_since is None


def test_a_clock_that_goes_back_takes_no_time_from_a_rung() -> None:
    held = working(Phase.DRAINING, held=True).status

    assert rungs.resumed(held, NOON).rung_since == NOON


def test_a_node_that_is_not_well_in_time_waits_for_its_next_remedy() -> None:
    rest = move(working(Phase.VERIFYING), after=3600)

    assert isinstance(rest, Rest)
    assert (rest.phase, rest.reason, rest.held) == (Phase.VERIFYING, "DisruptionClosed", True)


def test_the_next_remedy_is_tried_once_it_is_allowed() -> None:
    assert isinstance(move(working(Phase.VERIFYING), None, after=3600), NextRung)


def test_a_node_that_proves_well_meanwhile_is_given_back() -> None:
    assert isinstance(move(working(Phase.VERIFYING), after=3600, well=WELL), Release)


def test_a_person_is_called_whatever_is_forbidden() -> None:
    assert isinstance(move(working(Phase.VERIFYING, rung=1), after=3600), Surrender)


def test_the_time_in_which_a_step_was_forbidden_is_no_reason_to_suspect_us() -> None:
    late = timedelta(hours=5)
    held = working(Phase.DRAINING, held=True)
    resumed = structs.replace(
        held, status=structs.replace(held.status, held_since=None, held_seconds=4 * 3600)
    )
    stuck = structs.replace(held, status=structs.replace(held.status, held_since=None))

    urgencies = [
        alerts.of_repair(each, Alerting(), "", NOON + late).urgency
        for each in (held, resumed, stuck)
    ]

    assert urgencies == [Urgency.WARNING, Urgency.WARNING, Urgency.PAGE]
    assert alerts.due(resumed, Alerting(), NOON + late) == NOON + late + timedelta(minutes=30)


def test_people_are_warned_of_a_slot_that_is_held_while_nothing_may_be_done() -> None:
    held = working(Phase.DRAINING, held=True)
    before = structs.replace(held, status=structs.replace(held.status, held_seconds=20 * 60))
    manners, soon = Alerting(waiting=timedelta(minutes=30)), timedelta(minutes=30, seconds=59)

    told = alerts.of_repair(held, manners, "", at(60) + timedelta(minutes=30))

    assert (told.urgency, told.rises[-1].at) == (Urgency.WARNING, at(60) + timedelta(minutes=30))
    assert told.rises[-1].why == "its steps were forbidden for longer than 30m"
    assert alerts.of_repair(held, manners, "", NOON + soon).urgency is Urgency.INFO
    assert alerts.due(held, manners, at(60)) == at(60) + timedelta(minutes=30)
    assert alerts.due(before, manners, at(60)) == at(60) + timedelta(minutes=10)
    assert alerts.due(held, manners, NOON + timedelta(hours=1)) is None


def test_a_rung_that_was_not_held_up_keeps_its_time() -> None:
    going = working(Phase.DRAINING).status

    assert rungs.resumed(going, at(60)) == going
