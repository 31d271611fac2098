"""An action that asks for a pause is left alone on its rung, and nowhere else."""

from datetime import timedelta

from nodehealth.repair import NodeRepair, NodeRepairStatus
from remediator.resting import Resting
from tests.builders import NOON, repair

NOTHING, PAUSE = timedelta(), timedelta(seconds=10)


def on_rung(rung: int) -> NodeRepair:
    return repair(status=NodeRepairStatus(rung=rung))


def rested() -> Resting:
    resting = Resting()
    resting.rest(on_rung(0), NOON + PAUSE)
    return resting


def test_nobody_rests_who_did_not_ask_for_it() -> None:
    assert Resting().left(on_rung(0), NOON) == NOTHING


def test_a_pause_ends_when_its_time_has_come() -> None:
    resting = rested()

    assert resting.left(on_rung(0), NOON + timedelta(seconds=4)) == timedelta(seconds=6)
    assert resting.left(on_rung(0), NOON + PAUSE) == NOTHING


def test_the_next_rung_does_not_wait_for_the_one_before() -> None:
    assert rested().left(on_rung(1), NOON) == NOTHING


def test_a_repair_that_ended_leaves_no_pause_behind() -> None:
    resting = rested()

    resting.forget(on_rung(0))

    assert resting.left(on_rung(0), NOON) == NOTHING
