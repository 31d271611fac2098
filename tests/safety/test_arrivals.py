"""A successor that a slow watch sees late is marked when it is seen, and the gap is told."""

from datetime import timedelta

from tests.safety import sent, stage
from tests.safety.test_crashes import assert_all_is_well

ONE = ("w-1",)


def test_a_successor_that_is_seen_late_is_marked_and_what_came_to_it_is_told() -> None:
    ladder = ("drain", "replace: {again: 40s}")
    case = sent.case(*ladder, faults=[sent.stuck("w-1")], plugins=False)
    ending = stage.play(0, sick=ONE, lag=timedelta(seconds=20), case=case)

    assert_all_is_well(ending, ONE)
    (repair,) = ending.repairs
    arrival = repair.status.arrival
    assert arrival is not None
    assert 0 < arrival.open_seconds <= 30
    assert "the successor took work for at most" in "".join(e.text for e in repair.status.log)


def test_a_successor_that_is_seen_at_once_takes_no_work() -> None:
    ending = stage.play(0, sick=ONE)

    (repair,) = ending.repairs
    arrival = repair.status.arrival
    assert arrival is not None
    assert (arrival.open_seconds, arrival.came) == (0, 0)
