"""Rules whose remedies nobody can carry out are named before they are needed."""

from dataclasses import replace

import pytest

from nodehealth.kube.client import Client
from nodehealth.repair import Mode, Rung, Target
from nodemend.looking import sheet
from remediator.files import owner
from remediator.providers import MachineState, Provider
from remediator.rules.policy import Hook, Policy
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


def test_a_rule_that_names_a_web_service_which_the_policy_does_not_is_named() -> None:
    asks = replace(DRAINS, ladder=(Rung(action="webhook", settings={"name": "sre"}),))
    known = Policy(webhooks={"sre": Hook(url="https://x", secret_file="/s")})

    assert sheet.unhooked([asks, CYCLES], Policy()) == ["odd"]
    assert sheet.unhooked([asks, CYCLES], known) == []
