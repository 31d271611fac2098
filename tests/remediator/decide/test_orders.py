"""A person who uncordons a machine that something was ordered for has nothing ordered again."""

from typing import Final

import pytest

from nodehealth.kube.objects import Node
from nodehealth.repair import Intent, NodeRepair, NodeRepairStatus, Phase
from remediator.decide import orders
from tests.builders import NOON, node, repair

ORDER: Final = Intent(action="replace", key="k", issued_at=NOON)


def ordered(intent: Intent | None = ORDER) -> NodeRepair:
    return repair(status=NodeRepairStatus(phase=Phase.REPAIRING, intent=intent))


def test_who_uncordoned_the_machine_is_told_what_is_waited_for() -> None:
    assert orders.given_way(ordered(), node()) == (
        "somebody uncordoned n1: waits for what comes of replace, ordered at 12:00:00; "
        "orders no more"
    )


@pytest.mark.parametrize(
    ("made", "seen"),
    [
        (ordered(None), node()),
        (ordered(), None),
        (ordered(), node(unschedulable=True)),
        (ordered(), node(uid="another")),
    ],
    ids=["nothing ordered", "gone", "cordoned", "another machine"],
)
def test_nobody_is_given_way_where_nobody_uncordoned_what_was_ordered_away(
    made: NodeRepair, seen: Node | None
) -> None:
    assert orders.given_way(made, seen) == ""
