"""Rules whose remedies nobody can carry out are named before they are needed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nodehealth import quantities
from nodehealth.kube.client import Client
from nodehealth.repair import Mode, Rung, Target
from nodemend.looking import sheet
from remediator.decide.verifying import VERIFY_PATIENCE
from remediator.files import owner, remedy
from remediator.providers import MachineState, Provider
from remediator.rules.policy import BurnIn, Hook, Policy
from remediator.rules.rule import Rule
from tests.builders import rule

CYCLES = replace(rule(name="stuck"), ladder=(Rung(action="drain"), Rung(action="power-cycle")))
DRAINS = replace(rule(name="odd"), ladder=(Rung(action="drain"),))
ENFORCED = Policy(mode=Mode.ENFORCE, provider="other")


class Other(Provider):
    """Owns machines and can't reach their power."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say that the machine is there."""
        return MachineState.PRESENT

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Replace nothing."""


def test_a_rule_that_comes_to_a_power_cycle_is_named_where_the_owner_can_do_none() -> None:
    assert sheet.uncycled([CYCLES, DRAINS], ENFORCED, Other()) == ["stuck"]


@pytest.mark.parametrize("provider", [None, owner("simulator")])
def test_no_rule_is_named_where_the_owner_can_or_where_there_is_none(
    provider: Provider | None,
) -> None:
    assert sheet.uncycled([CYCLES], ENFORCED, provider) == []


def test_nothing_is_named_while_nothing_is_enforced() -> None:
    assert sheet.uncycled([CYCLES], Policy(), Other()) == []
    watched = replace(CYCLES, mode=Mode.OBSERVE)
    assert sheet.uncycled([watched], ENFORCED, Other()) == []


def test_without_an_owner_a_power_cycle_is_named_beside_a_replacement() -> None:
    assert sheet.unprovided([CYCLES, DRAINS], Policy(mode=Mode.ENFORCE)) == ["stuck"]


def at_most(one: Rule, policy: Policy) -> str:
    (_, _, _, _, most, _) = sheet.drawn([one], policy, []).columns
    return str(*most.cells)


def test_the_burn_in_of_the_policy_counts_for_rules_that_name_none() -> None:
    hours = timedelta(hours=10)
    everywhere = Policy(burn_in=BurnIn(template="stress", deadline=hours))
    its_own = replace(DRAINS, burn_in=BurnIn(template="own", deadline=hours / 10))

    proof = VERIFY_PATIENCE + DRAINS.verify
    alone = remedy("drain", {}).longest + proof
    burnt = alone + hours + timedelta(minutes=7) + proof
    assert at_most(DRAINS, Policy()) == quantities.spoken(alone)
    assert at_most(DRAINS, everywhere) == quantities.spoken(burnt)
    assert at_most(its_own, everywhere) == quantities.spoken(burnt - hours * 9 / 10)


def test_a_rule_that_names_a_web_service_which_the_policy_does_not_is_named() -> None:
    asks = replace(DRAINS, ladder=(Rung(action="webhook", settings={"name": "sre"}),))
    known = Policy(webhooks={"sre": Hook(url="https://x", secret_file="/s")})

    assert sheet.unhooked([asks, CYCLES], Policy()) == ["odd"]
    assert sheet.unhooked([asks, CYCLES], known) == []
