"""The list of repairs."""

from rich.console import Console

from nodehealth.repair import Joined, Mode, NodeRepair, NodeRepairStatus, Phase, PhaseTime
from nodemend.looking import repairs
from tests.builders import NOON, at, repair

OLD = repair("old", created=at(-60))
ENDED = repair("ended", phase=Phase.RECOVERED)
HOPELESS = repair("hopeless", phase=Phase.NEEDS_HUMAN)


def named(*found: NodeRepair) -> list[str]:
    return [each.spec.target.node for each in found]


def test_those_that_need_a_person_come_first_and_then_the_oldest() -> None:
    chosen = repairs.chosen((repair("new"), OLD, ENDED, HOPELESS))

    assert named(*chosen) == ["hopeless", "old", "new"]


def test_ended_ones_are_shown_when_they_are_asked_for() -> None:
    assert named(*repairs.chosen((ENDED,), ended=True)) == ["ended"]


def test_only_those_of_one_node_are_shown_when_it_is_named() -> None:
    assert named(*repairs.chosen((OLD, repair("new")), name="new")) == ["new"]


def test_where_none_is_open_those_that_ended_can_be_seen() -> None:
    over = repair(status=NodeRepairStatus(phase=Phase.RECOVERED))

    said = repairs.none([over], name="n1", ended=False)

    assert said == "No repair of n1 is open.\n1 ended; shown by: nodemend repairs n1 --all\n"


def test_the_table_says_for_how_long_and_for_what_each_waits() -> None:
    timeline = (PhaseTime(phase=Phase.CORDONED, at=NOON), PhaseTime(phase=Phase.WAITING, at=at(5)))
    waits = NodeRepairStatus(
        phase=Phase.WAITING, reason="NoSlot", message="n2 is first", timeline=timeline
    )
    console = Console(width=80, color_system=None)
    with console.capture() as drawn:
        console.print(repairs.table([repair(status=waits)], at(65)))

    lines = [" ".join(line.split()) for line in drawn.get().splitlines()]
    assert lines == [
        "NODE RULE PHASE FOR WHAT IT WAITS FOR",
        "n1 disk-full Waiting (NoSlot) 1m n2 is first",
    ]


def test_the_table_names_all_the_faults_that_a_repair_is_for() -> None:
    too = Joined(rule="gpu-hung", mode=Mode.ENFORCE, since=NOON)
    watched = Joined(rule="watched", mode=Mode.OBSERVE, since=NOON)
    console = Console(width=120, color_system=None)
    with console.capture() as drawn:
        both = repair(status=NodeRepairStatus(faults=(too, watched)))
        console.print(repairs.table([both], at(65)))

    assert "disk-full, gpu-hung  " in drawn.get()


def test_a_repair_that_is_only_observed_says_so() -> None:
    assert repairs.phase_of(repair(mode=Mode.OBSERVE)) == "Confirmed (observed)"
