"""Events say each decision and each obstacle of a repair's record, and nothing twice."""

from datetime import datetime

from nodehealth.repair import Decision, NodeRepair, NodeRepairStatus, Obstacle
from remediator.decide import noted
from remediator.decide.noted import NOTED, OBSTRUCTED, Noted
from tests.builders import NOON, at, repair

FAILED = "reset-gpu failed: the driver hangs; next reboot"


def written(*lines: str, obstacles: tuple[Obstacle, ...] = ()) -> NodeRepair:
    """Return a repair with a line each second, from noon on."""
    log = tuple(Decision(at=at(n), text=text) for n, text in enumerate(lines))
    return repair(status=NodeRepairStatus(log=log, obstacles=obstacles))


def obstacle(what: str, since: datetime) -> Obstacle:
    return Obstacle(what=what, advice="mend it", since=since)


def test_a_line_of_a_phase_is_told_as_that_phase() -> None:
    said = written("Confirmed (CordonLimit): 4 nodes are out: too many", f"Repairing: {FAILED}")

    assert list(noted.of(said)) == [
        Noted(
            at=NOON,
            reason="RepairConfirmed",
            message="4 nodes are out: too many",
            warns=True,
        ),
        Noted(at=at(1), reason="RepairRepairing", message=FAILED),
    ]


def test_a_line_beside_the_phases_is_told_as_it_is() -> None:
    said = written("gpu-hot holds too: 95 °C", "the successor was marked before it took work")

    assert [(each.reason, each.message) for each in noted.of(said)] == [
        (NOTED, "gpu-hot holds too: 95 °C"),
        (NOTED, "the successor was marked before it took work"),
    ]


def test_obstacles_that_were_found_at_once_are_told_at_once() -> None:
    found = (obstacle("a", NOON), obstacle("b", NOON), obstacle("c", at(9)))

    assert list(noted.of(written(obstacles=found))) == [
        Noted(at=NOON, reason=OBSTRUCTED, message="a: mend it; b: mend it", warns=True),
        Noted(at=at(9), reason=OBSTRUCTED, message="c: mend it", warns=True),
    ]


def test_what_was_told_is_not_told_again() -> None:
    before, after = written("Waiting: a"), written("Waiting: a", "Waiting: b")

    left = noted.untold(after, frozenset(noted.of(before)), at(2))

    assert [each.message for each in left] == ["b"]


def test_the_last_of_each_reason_is_told_where_nobody_knows_what_was_told() -> None:
    said = written("Waiting: a", "Waiting: b", "Draining: c")

    left = noted.untold(said, None, at(3))

    assert [each.message for each in left] == ["b", "c"]


def test_what_is_old_is_told_no_more() -> None:
    said, late = written("Waiting: a"), NOON + noted.RECENT

    assert (noted.untold(said, None, late), noted.untold(said, (), late)) == ((), ())
