"""What forbids a cordon or a disruption however much room the limits leave."""

from typing import Final

import pytest

from nodehealth.kube.objects import Node
from nodehealth.ledger import Disruption
from remediator.decide import gates
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Refused, Why
from remediator.rules.policy import Policy
from tests.builders import NOON, ledger, node, repair

HERE: Final = node()
PRESERVED: Final = node(labels={"remediation.medik8s.io/exclude-from-remediation": "true"})


def asked(deed: Deed, disruption: Disruption, of: Node | None = HERE) -> Refused | None:
    return gates.refusal(
        Asked(
            deed=deed,
            repair=repair(),
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
