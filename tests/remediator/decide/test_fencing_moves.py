"""A repair whose machine is being proven off keeps its slot until the order is over."""

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node, NodeInfo
from nodehealth.repair import Fencing, Intent, Mode, NodeRepair, NodeRepairStatus, Phase, Proof
from remediator.decide import ladder
from remediator.decide.fencing import ORDER
from remediator.decide.moves import (
    Inquire,
    Move,
    Prove,
    Reason,
    Rest,
    Retake,
    Trade,
    View,
    Wellness,
)
from tests.builders import NOON, ledger, node, repair, slot

SLOTS = ledger(epoch=5, slots={"n1": slot(5)})
ORDERED = Intent(action=ORDER, key="k", issued_at=NOON)
REPLACING = Intent(action="replace", key="k", issued_at=NOON)
PROVEN = Fencing(since=NOON, method=Proof.POWERED_OFF, at=NOON)


def seen(*, ready: bool = False, uid: str = "", boot: str = "boot-1") -> Node:
    marked = node(
        uid=uid,
        fence="5:disrupted",
        taints=(keys.REPAIR_TAINT,),
        unschedulable=True,
        ready=ready,
    )
    status = structs.replace(marked.status, node_info=NodeInfo(boot_id=boot))
    return structs.replace(marked, status=status)


def fenced(phase: Phase, intent: Intent | None, fencing: Fencing | None = None) -> NodeRepair:
    status = NodeRepairStatus(
        phase=phase,
        disruption_epoch=5,
        rung_since=NOON,
        intent=intent,
        fencing=fencing or Fencing(since=NOON),
    )
    made = repair(status=status)
    target = structs.replace(made.spec.target, boot_id="boot-1")
    return structs.replace(made, spec=structs.replace(made.spec, target=target))


def move(mended: NodeRepair, now: Node | None, *, allowed: Mode = Mode.ENFORCE) -> Move:
    view = View(repair=mended, node=now, ledger=SLOTS, well=Wellness(), now=NOON, allowed=allowed)
    return ladder.next_move(view)


@pytest.mark.parametrize("now", [None, seen()], ids=["no node", "silent"])
def test_the_proof_is_worked_at_without_evidence_of_the_fault(now: Node | None) -> None:
    assert move(fenced(Phase.FENCING, None), now) == Prove()


def test_a_stricter_mode_stops_it_before_the_order_and_not_after_it() -> None:
    before = move(fenced(Phase.FENCING, None), seen(), allowed=Mode.OBSERVE)

    assert isinstance(before, Rest)
    assert before.reason == Reason.MODE
    assert move(fenced(Phase.FENCING, ORDERED), seen(), allowed=Mode.OBSERVE) == Prove()


def test_a_node_made_anew_meanwhile_is_taken_again_first() -> None:
    assert move(fenced(Phase.FENCING, ORDERED), node(uid="new")) == Retake(
        fence=Fence(epoch=5, hold=Hold.DISRUPTED)
    )


@pytest.mark.parametrize(
    ("now", "intent", "fencing"),
    [
        (seen(), ORDERED, None),
        (seen(ready=True), ORDERED, None),
        (None, ORDERED, None),
        (seen(boot="boot-2"), ORDERED, None),
        (seen(ready=True, boot="boot-2"), REPLACING, PROVEN),
    ],
    ids=["silent", "same boot", "no node", "booted but silent", "to be replaced"],
)
def test_an_order_that_may_still_be_carried_out_keeps_the_slot(
    now: Node | None, intent: Intent, fencing: Fencing | None
) -> None:
    assert isinstance(move(fenced(Phase.NEEDS_HUMAN, intent, fencing), now), Rest | Inquire)


@pytest.mark.parametrize(
    ("now", "intent", "fencing"),
    [
        (seen(), None, None),
        (seen(), ORDERED, PROVEN),
        (seen(ready=True, boot="boot-2"), ORDERED, None),
        (seen(ready=True, uid="new"), REPLACING, PROVEN),
    ],
    ids=["no order", "carried out", "booted", "replaced"],
)
def test_a_slot_is_traded_once_no_order_is_under_way(
    now: Node | None, intent: Intent | None, fencing: Fencing | None
) -> None:
    assert isinstance(move(fenced(Phase.NEEDS_HUMAN, intent, fencing), now), Trade)
