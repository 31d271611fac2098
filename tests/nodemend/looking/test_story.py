"""A repair is told from its evidence to its end, with when and how long."""

from datetime import timedelta
from io import StringIO

from msgspec import structs
from rich.console import Console

from nodehealth.repair import (
    Approved,
    Decision,
    Evicted,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
)
from nodemend.looking import story
from tests.builders import NOON, repair


def minute(number: int) -> timedelta:
    return timedelta(minutes=number)


STATUS = NodeRepairStatus(
    phase=Phase.RECOVERED,
    timeline=(
        PhaseTime(phase=Phase.CORDONED, at=NOON),
        PhaseTime(phase=Phase.WAITING, at=NOON + minute(1)),
        PhaseTime(phase=Phase.DRAINING, at=NOON + minute(4)),
        PhaseTime(phase=Phase.WAITING, at=NOON + minute(5)),
        PhaseTime(phase=Phase.RECOVERED, at=NOON + minute(10)),
    ),
    log=(
        Decision(at=NOON, text="Cordoned: no new work comes"),
        Decision(at=NOON + minute(10), text="Recovered (Repaired): it is well"),
    ),
    evictions=tuple(
        Evicted(namespace="ns", name=f"p{n}", uid=f"u{n}", at=NOON, owner="Job/train")
        for n in range(2)
    ),
)


def told(one: NodeRepair) -> str:
    drawn = Console(file=StringIO(), width=200, record=True)
    drawn.print(story.told(one, NOON + minute(60)))
    return drawn.export_text()


def test_each_decision_stands_with_its_time_and_how_long_after_the_beginning() -> None:
    text = told(repair(status=STATUS))

    assert "01-01 12:00:00" in text
    assert "+10m" in text
    assert "Recovered (Repaired): it is well" in text


def test_the_phases_are_added_up_to_the_end_and_not_to_now() -> None:
    text = told(repair(status=STATUS))

    assert "It took 10m: Cordoned 1m, Waiting 8m, Draining 1m." in text


def test_what_it_cost_is_said() -> None:
    assert "2 pods were asked to leave: 2 of Job/train." in told(repair(status=STATUS))


def test_an_open_repair_is_still_counting() -> None:
    waits = structs.replace(STATUS, phase=Phase.WAITING, timeline=STATUS.timeline[:2])

    assert "So far it took 1h: Cordoned 1m, Waiting 59m." in told(repair(status=waits))


def test_who_approved_it_is_named() -> None:
    one = repair(status=STATUS)
    spec = structs.replace(one.spec, approved=Approved(by="jane@example.com"))

    assert "by jane@example.com" in told(structs.replace(one, spec=spec))
