"""What forbids a cordon or a disruption however much room the limits leave."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.ledger import EVER, Disruption
from nodehealth.repair import Fencing, Intent, NodeRepairStatus
from remediator.decide import gates
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Refused, Why
from remediator.decide.survey import Survey
from remediator.rules.policy import Policy
from tests.builders import NOON, ledger, node, repair

HERE: Final = node()
PRESERVED: Final = node(labels={"remediation.medik8s.io/exclude-from-remediation": "true"})


BUSY: Final = node(fence="3:disrupted", taints=("karpenter.sh/disrupted",))


def asked(
    deed: Deed,
    disruption: Disruption,
    of: Node | None = HERE,
    status: NodeRepairStatus | None = None,
) -> Refused | None:
    return gates.refusal(
        Asked(
            deed=deed,
            repair=repair(status=status),
            node=of,
            ledger=ledger(disruption=disruption),
            scopes=(),
            policy=Policy(),
            now=NOON,
        )
    )


@pytest.mark.parametrize("deed", [Deed.DISRUPT, Deed.STEP])
def test_a_closed_ledger_gives_no_slot_and_lets_no_step_be_begun(deed: Deed) -> None:
    refused = asked(deed, Disruption.CLOSED)

    assert refused is not None
    assert refused.why is Why.DISRUPTION_CLOSED


@pytest.mark.parametrize(
    ("deed", "disruption"),
    [(Deed.CORDON, Disruption.CLOSED), (Deed.DISRUPT, Disruption.OPEN)],
)
def test_nothing_else_is_forbidden(deed: Deed, disruption: Disruption) -> None:
    assert asked(deed, disruption) is None


def test_a_machine_without_a_node_may_be_worked_on() -> None:
    assert asked(Deed.STEP, Disruption.OPEN, None) is None


@pytest.mark.parametrize("deed", [Deed.DISRUPT, Deed.STEP])
def test_a_node_that_somebody_wants_left_alone_is_cordoned_and_not_disrupted(deed: Deed) -> None:
    refused = asked(deed, Disruption.OPEN, PRESERVED)

    assert refused is not None
    assert refused.why is Why.FOREIGN_MAINTENANCE
    assert asked(Deed.CORDON, Disruption.OPEN, PRESERVED) is None


def test_nothing_more_is_begun_on_a_node_on_which_somebody_else_began_to_work() -> None:
    refused = asked(Deed.STEP, Disruption.OPEN, BUSY)

    assert refused is not None
    assert (refused.why, refused.message) == (
        Why.FOREIGN_MAINTENANCE,
        "Karpenter is at work on n1; waits until that is over",
    )


@pytest.mark.parametrize(
    "status",
    [
        NodeRepairStatus(rung=1, rung_since=NOON, tried=(0, 1)),
        NodeRepairStatus(intent=Intent(action="replace", key="k", issued_at=NOON)),
        NodeRepairStatus(fencing=Fencing(since=NOON)),
    ],
)
def test_what_an_owner_does_may_be_what_we_ordered(status: NodeRepairStatus) -> None:
    assert asked(Deed.STEP, Disruption.OPEN, BUSY, status) is None


@pytest.mark.parametrize(("known", "why"), [(4, Why.LEDGER_AT_ODDS), (5, None)])
def test_a_ledger_that_lacks_what_a_node_says_gives_no_slot(known: int, why: Why | None) -> None:
    survey = Survey.of([node(fence="5:released"), node("n2")], [])
    question = Asked(
        deed=Deed.DISRUPT,
        repair=repair(),
        node=node(),
        ledger=ledger(epoch=known),
        scopes=(),
        policy=Policy(),
        now=NOON,
        survey=survey,
    )

    refused = gates.refusal(question)

    assert (refused.why if refused is not None else None) is why
    assert gates.refusal(replace(question, deed=Deed.CORDON)) is None


@pytest.mark.parametrize(
    ("deed", "age", "known", "why"),
    [
        (Deed.DISRUPT, 119, NOON, Why.LEDGER_REBUILT),
        (Deed.DISRUPT, 120, NOON, None),
        (Deed.DISRUPT, 1, EVER, None),
        (Deed.CORDON, 1, NOON, None),
        (Deed.STEP, 1, NOON, None),
    ],
)
def test_a_ledger_that_was_lost_gives_no_slot_before_the_last_admissions_came_to_light(
    deed: Deed, age: int, known: datetime, why: Why | None
) -> None:
    made = NOON - timedelta(seconds=age)
    anew = ledger(known_since=known)
    anew = structs.replace(anew, metadata=structs.replace(anew.metadata, creation_timestamp=made))
    refused = gates.refusal(
        Asked(
            deed=deed,
            repair=repair(),
            node=HERE,
            ledger=anew,
            scopes=(),
            policy=Policy(),
            now=NOON,
        )
    )

    assert (refused.why if refused is not None else None) is why
