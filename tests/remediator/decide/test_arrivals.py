"""A successor that took work before it was marked is written down, with what came to it."""

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Condition, Node, Taint
from nodehealth.repair import Arrival, Intent, NodeRepairStatus, Phase
from remediator.decide import arrivals, ladder
from remediator.decide.moves import Greet, Move, Retake, View, Wellness
from tests.builders import NOON, at, ledger, node, pod, repair, slot

SLOTS = ledger(epoch=5, slots={"n1": slot(5)})
REPAIR = repair("n1").metadata.name


def successor(*, value: str = REPAIR, ready: bool = True, since: float | None = 10) -> Node:
    made = node(uid="uid-new", fence="5:disrupted", unschedulable=True)
    turned = at(since) if since is not None else None
    seen = Condition(type="Ready", status=str(ready), last_transition_time=turned)
    taint = Taint(key=keys.REPAIR_TAINT, effect="NoSchedule", value=value)
    return structs.replace(
        made,
        spec=structs.replace(made.spec, taints=(taint,)),
        status=structs.replace(made.status, conditions=(seen,)),
    )


def move(seen: Node, arrival: Arrival | None = None, phase: Phase = Phase.VERIFYING) -> Move:
    status = NodeRepairStatus(
        phase=phase,
        disruption_epoch=5,
        rung=1,
        rung_since=NOON,
        intent=Intent(action="replace", key="k", issued_at=NOON),
        arrival=arrival,
    )
    mended = repair(status=status)
    return ladder.next_move(
        View(repair=mended, node=seen, ledger=SLOTS, well=Wellness(), now=at(60))
    )


@pytest.mark.parametrize("phase", [Phase.VERIFYING, Phase.REPAIRING])
def test_a_successor_is_marked_first_and_then_written_down_once(phase: Phase) -> None:
    known = Arrival(node_uid="uid-new", at=at(20))

    assert isinstance(move(node(uid="uid-new"), phase=phase), Retake)
    assert move(successor(), phase=phase) == Greet()
    assert move(successor(), known, phase) != Greet()


def test_one_more_successor_is_written_down_in_its_place() -> None:
    assert move(successor(), Arrival(node_uid="uid-between", at=at(5))) == Greet()


def test_the_machine_itself_is_no_successor() -> None:
    assert move(node(fence="5:disrupted", unschedulable=True)) != Greet()


def test_a_node_that_is_away_is_no_successor() -> None:
    mended = repair(status=NodeRepairStatus(phase=Phase.VERIFYING))
    view = View(repair=mended, node=None, ledger=SLOTS, well=Wellness(), now=at(60))

    assert arrivals.greets(view) is None


def test_it_was_open_from_when_it_was_ready_until_it_was_marked() -> None:
    pods = [pod("web-1"), pod("agent", owner="DaemonSet")]

    seen = arrivals.of(successor(), pods, REPAIR, at(14))

    assert (seen.open_seconds, seen.pods, seen.tainted) == (4, ("jobs/web-1",), False)
    assert arrivals.sentence(seen) == (
        "the successor took work for at most 4 s before it was marked; pods came: jobs/web-1"
    )


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (successor(ready=False), "the successor was marked before it took work; no pod came"),
        (successor(since=14), "the successor was marked before it took work; no pod came"),
        (successor(since=None), "the successor was marked before it took work; no pod came"),
        (successor(since=99), "the successor was marked before it took work; no pod came"),
        (
            successor(value="arriving"),
            "the successor registered with the taint nodemend.dev/repair; no pod came",
        ),
    ],
)
def test_without_a_gap_it_says_so(seen: Node, said: str) -> None:
    assert arrivals.sentence(arrivals.of(seen, [], REPAIR, at(14))) == said


def test_only_some_of_many_pods_are_named_and_all_are_counted() -> None:
    seen = arrivals.of(successor(), [pod(f"web-{n}") for n in range(20)], REPAIR, at(14))

    assert (len(seen.pods), seen.came) == (16, 20)
    assert arrivals.sentence(seen).endswith(" and 4 more")


def test_what_nobody_need_hear_of_is_only_a_line_of_the_log() -> None:
    status = NodeRepairStatus(phase=Phase.VERIFYING)
    quiet = arrivals.of(successor(ready=False), [], REPAIR, at(14))
    loud = arrivals.of(successor(), [], REPAIR, at(14))

    noted = arrivals.written(status, quiet)

    assert (noted.arrival, noted.log[-1].text) == (quiet, arrivals.sentence(quiet))
    assert arrivals.written(status, loud) == structs.replace(status, arrival=loud)
