"""What forbids a cordon or a disruption however much room the limits leave."""

import pytest

from nodehealth.ledger import Disruption
from remediator.decide import gates
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Refused, Why
from remediator.rules.policy import Policy
from tests.builders import NOON, ledger, node, repair


def asked(deed: Deed, disruption: Disruption) -> Refused | None:
    return gates.refusal(
        Asked(
            deed=deed,
            repair=repair(),
            node=node(),
            ledger=ledger(disruption=disruption),
            scopes=(),
            policy=Policy(),
            now=NOON,
        )
    )


def test_a_closed_ledger_gives_no_slot() -> None:
    refused = asked(Deed.DISRUPT, Disruption.CLOSED)

    assert refused is not None
    assert refused.why is Why.DISRUPTION_CLOSED


@pytest.mark.parametrize(
    ("deed", "disruption"),
    [(Deed.CORDON, Disruption.CLOSED), (Deed.DISRUPT, Disruption.OPEN)],
)
def test_nothing_else_is_forbidden(deed: Deed, disruption: Disruption) -> None:
    assert asked(deed, disruption) is None
