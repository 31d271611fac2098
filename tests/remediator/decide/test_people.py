"""Who uncordons a node that we hold is given way to, unless an order is under way."""

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import Arrival, Closing, Intent, NodeRepair, NodeRepairStatus, Phase
from remediator.decide import endings, ladder
from remediator.decide.moves import Climb, Move, Reason, Release, Rest, Retake, View, Wellness
from tests.builders import NOON, at, ledger, node, repair, slot

SICK = Wellness(holds=True, heard_at=at(1))
WELL = Wellness(over=True, since=NOON, heard_at=at(1))
HELD = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
ONLY_CORDONED = ledger(epoch=4, cordons={"n1": 4})
UNCORDONED = node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,))


def working(phase: Phase, *, intent: Intent | None = None, epoch: int = 5) -> NodeRepair:
    status = NodeRepairStatus(
        phase=phase, cordon_epoch=4, disruption_epoch=epoch, rung_since=NOON, intent=intent
    )
    return repair(status=status)


def move(mended: NodeRepair, seen: Node | None, *, well: Wellness = SICK) -> Move:
    held = HELD if mended.status.disruption_epoch else ONLY_CORDONED
    return ladder.next_move(View(repair=mended, node=seen, ledger=held, well=well, now=NOON))


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.FENCING, Phase.REPAIRING, Phase.VERIFYING])
def test_work_on_a_node_that_somebody_uncordoned_is_parked(phase: Phase) -> None:
    given = move(working(phase), UNCORDONED)

    assert isinstance(given, Release)
    assert (given.phase, given.reason) == (Phase.PARKED, Reason.UNCORDONED)
    assert given.message.startswith("somebody uncordoned n1; `nodemend repairs retry` has")


def test_a_hopeless_node_that_somebody_uncordoned_is_parked_with_or_without_its_slot() -> None:
    uncordoned = node(fence="5:cordoned", taints=(keys.REPAIR_TAINT,))
    traded = ledger(epoch=5, cordons={"n1": 5})
    hopeless = working(Phase.NEEDS_HUMAN)
    view = View(repair=hopeless, node=uncordoned, ledger=traded, well=SICK, now=NOON)

    before, after = move(hopeless, UNCORDONED), ladder.next_move(view)

    assert isinstance(before, Release)
    assert before.phase is Phase.PARKED
    assert isinstance(after, Release)
    assert after.phase is Phase.PARKED


@pytest.mark.parametrize("phase", [Phase.CORDONED, Phase.WAITING])
def test_who_waits_is_parked_too(phase: Phase) -> None:
    uncordoned = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,))

    given = move(working(phase, epoch=0), uncordoned)

    assert isinstance(given, Release)
    assert given.phase is Phase.PARKED


def test_an_order_under_way_is_followed_all_the_same() -> None:
    order = Intent(action="replace", key="k", issued_at=NOON)

    assert isinstance(move(working(Phase.REPAIRING, intent=order), UNCORDONED), Climb)


def test_a_mended_node_that_somebody_uncordoned_is_parked_whatever_mended_it() -> None:
    order = Intent(action="replace", key="k", issued_at=NOON)
    opened = node(uid="uid-2", fence="5:disrupted", taints=(keys.REPAIR_TAINT,))

    given = move(working(Phase.VERIFYING, intent=order), opened)

    assert isinstance(given, Release)
    assert (given.phase, given.reason) == (Phase.PARKED, Reason.UNCORDONED)


@pytest.mark.parametrize("taints", [(), (keys.REPAIR_TAINT,)])
def test_a_successor_that_arrives_open_was_uncordoned_by_nobody(taints: tuple[str, ...]) -> None:
    given = move(working(Phase.VERIFYING), node(uid="uid-2", taints=taints))

    assert isinstance(given, Retake)


def test_a_mended_node_keeps_its_slot_until_the_boot_that_was_ordered_is_over() -> None:
    order = Intent(action="reboot", key="k", issued_at=NOON, boot_id="boot-1")
    status = structs.replace(working(Phase.VERIFYING).status, rebooting=order)

    assert isinstance(move(repair(status=status), UNCORDONED), Rest)


def test_a_successor_that_people_took_is_theirs_until_the_fault_is_over() -> None:
    taken = Arrival(node_uid="uid-2", at=NOON)
    parked = repair(status=NodeRepairStatus(phase=Phase.PARKED, arrival=taken))
    successor = node(uid="uid-2")

    assert isinstance(move(parked, successor), Rest)
    over, gone = move(parked, successor, well=WELL), move(parked, node(uid="uid-3"))
    assert isinstance(over, Release)
    assert over.reason is Reason.FAULT_GONE
    assert isinstance(gone, Release)
    assert gone.reason is Reason.NODE_ABSENT


def test_a_parked_repair_rests_until_its_fault_or_its_node_is_gone() -> None:
    parked = repair(status=NodeRepairStatus(phase=Phase.PARKED))

    assert isinstance(move(parked, node()), Rest)
    over, gone = move(parked, node(), well=WELL), move(parked, None)
    assert isinstance(over, Release)
    assert (over.phase, over.reason) == (Phase.RECOVERED, Reason.FAULT_GONE)
    assert isinstance(gone, Release)
    assert gone.reason is Reason.NODE_ABSENT


def test_a_node_that_people_took_while_it_was_worked_on_has_to_prove_well_with_them() -> None:
    spec = structs.replace(repair().spec, verify_seconds=60)
    status = NodeRepairStatus(phase=Phase.PARKED, rung_since=NOON)
    parked = structs.replace(repair(status=status), spec=spec)

    soon, late = (
        ladder.next_move(View(repair=parked, node=node(), ledger=HELD, well=WELL, now=now))
        for now in (at(30), at(60))
    )

    assert isinstance(soon, Rest)
    assert (soon.phase, soon.until) == (Phase.PARKED, at(60))
    assert isinstance(late, Release)
    assert late.reason is Reason.FAULT_GONE


def test_only_a_parked_repair_forgets_what_it_held() -> None:
    status = working(Phase.DRAINING).status
    parked = Closing(phase=Phase.PARKED, reason="x", message="y")
    ended = Closing(phase=Phase.RECOVERED, reason="x", message="y")

    assert endings.closed(status, parked).disruption_epoch == 0
    assert endings.closed(status, ended).disruption_epoch == 5
