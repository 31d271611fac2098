"""What the demo says of itself at the end."""

from dataclasses import replace
from datetime import timedelta

from nodehealth.repair import Decision, NodeRepairStatus, Phase
from nodemend.demo import report
from nodemend.demo.latency import Latency
from nodemend.demo.report import Tally
from tests.builders import NOON, repair

TALLY = Tally(
    frozen=None,
    nodes=101,
    faults=1,
    left_sick=(),
    to_come=0,
    violations=(),
    limit_violations=0,
    most_disrupted={"cluster": 1},
    latency=Latency(),
    took=timedelta(seconds=61),
)
WAITED = NodeRepairStatus(
    phase=Phase.RECOVERED,
    log=(
        Decision(at=NOON, text="Waiting (NoSlot): n2 is first"),
        Decision(at=NOON, text="Waiting (NoSlot): n3 is first"),
    ),
)


def test_every_repair_at_its_end_and_no_promise_broken_is_good() -> None:
    made = report.made(TALLY, [repair(status=WAITED)], real="n1", source="a full disk")

    assert made.is_good()
    assert made.repairs == {"Recovered": 1}
    assert made.held == {"NoSlot": 1}
    assert made.real_node.outcome == "Recovered"


def test_a_repair_that_called_a_person_has_ended_too() -> None:
    made = report.made(TALLY, [repair(phase=Phase.NEEDS_HUMAN)], real="n1", source="")

    assert made.is_good()


def test_what_goes_on_and_who_is_still_sick_is_said() -> None:
    tally = replace(TALLY, left_sick=("n1", "n2"), to_come=3)

    made = report.made(tally, [repair(phase=Phase.DRAINING)], real="n1", source="")

    assert made.unfinished == (
        "the repair of n1 is still Draining",
        "n2 is still sick",
        "3 faults were still to come",
    )
    assert not made.is_good()


def test_a_broken_promise_is_not_good() -> None:
    made = report.made(replace(TALLY, violations=("a limit",)), [], real="n1", source="")

    assert not made.is_good()
