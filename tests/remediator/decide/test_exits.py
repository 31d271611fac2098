"""No phase lasts for ever: each ends by itself, or a person is told of it."""

from datetime import timedelta
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import Fencing, NodeRepair, NodeRepairStatus, Phase, PhaseTime
from remediator.decide import alerts, fencing, ladder
from remediator.decide.fencing import GiveUp, Look, Power
from remediator.decide.moves import Climb, NextRung, Prove, Rest, Surrender, View, Wellness
from remediator.rules.alerting import Alerting, Urgency
from tests.builders import NOON, ledger, node, repair, slot

AGES: Final = NOON + timedelta(days=30)
HELD: Final = node(fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)
SLOTS: Final = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
CORDONED: Final = node(fence="4:cordoned", taints=(keys.REPAIR_TAINT,), unschedulable=True)
CORDONS: Final = ledger(epoch=4, cordons={"n1": 4})


def long_in(phase: Phase, *, rung: int = 0) -> NodeRepair:
    return repair(
        status=NodeRepairStatus(
            phase=phase,
            cordon_epoch=4,
            disruption_epoch=5,
            rung=rung,
            tried=tuple(range(rung + 1)),
            rung_since=NOON,
            fencing=Fencing(since=NOON),
            timeline=(PhaseTime(phase=phase, at=NOON),),
        )
    )


def move(stuck: NodeRepair, seen: Node = HELD, held: RepairLedger = SLOTS) -> object:
    view = View(repair=stuck, node=seen, ledger=held, well=Wellness(), now=AGES)
    return ladder.next_move(view)


@pytest.mark.parametrize(("rung", "ends"), [(0, NextRung), (1, Surrender)])
def test_a_node_that_never_gets_well_comes_to_the_next_remedy_or_to_a_person(
    rung: int, ends: type
) -> None:
    assert isinstance(move(long_in(Phase.VERIFYING, rung=rung)), ends)


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.REPAIRING])
def test_a_remedy_under_way_is_asked_again_and_has_a_bound_of_its_own(phase: Phase) -> None:
    assert isinstance(move(long_in(phase, rung=1)), Climb)


def test_a_machine_that_is_never_proven_off_comes_to_a_person() -> None:
    stuck = long_in(Phase.FENCING)
    look = Look(
        repair=stuck,
        fencing=Fencing(since=NOON),
        node=None,
        power=Power.UNKNOWN,
        said="nobody knows",
        by="",
        pods=(),
        now=AGES,
    )

    assert isinstance(move(stuck), Prove)
    assert isinstance(fencing.next_step(look), GiveUp)


@pytest.mark.parametrize("phase", [Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING])
def test_what_waits_without_a_bound_is_told(phase: Phase) -> None:
    stuck = long_in(phase)
    cordon = NodeRepairStatus(phase=phase, cordon_epoch=4, timeline=stuck.status.timeline)
    waiting = repair(status=cordon)

    assert isinstance(move(waiting, CORDONED, CORDONS), Rest)
    assert alerts.of_repair(waiting, Alerting(), "", AGES).urgency is Urgency.WARNING


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.FENCING, Phase.REPAIRING, Phase.VERIFYING])
def test_what_lasts_longer_than_all_its_bounds_is_a_page(phase: Phase) -> None:
    assert alerts.of_repair(long_in(phase), Alerting(), "", AGES).needs_person
