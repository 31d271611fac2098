"""A node with two faults is repaired once, until both are over."""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from nodehealth import keys
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS, Disruption
from nodehealth.repair import Mode, NodeRepair, Phase, Severity
from remediator.files import Loaded, remedy
from remediator.rules.policy import DrainManners, Limit, Policy, Pool
from remediator.rules.windows import Window, Windows
from simulator import virtualtime
from tests.builders import health, level, node, question, rule, rules, xid
from tests.remediator.leading import Fleet, fleet, leading

ALL = Limit(cordoned=("100%",), disrupted=("100%",))
RULES = rules(
    rule(question("code == 95", signal="gpu.xid"), name="hurt", ladder=("drain", "replace")),
    rule(name="full", ladder=("drain",)),
)
REMEDIES = tuple(remedy(name, {}) for name in ("drain", "replace"))  # found before the loop runs
POLICY = Policy(mode=Mode.ENFORCE, limit=ALL, pools=(Pool(name="all", labels={}, limit=ALL),))


async def the_repair(here: Fleet, after: float) -> NodeRepair:
    await asyncio.sleep(after)
    (found,) = await here.repairs()
    return found


@virtualtime.played
async def test_two_faults_at_once_are_one_repair() -> None:
    here = await fleet()
    async with leading(here, Loaded(rules=RULES, policy=POLICY, provider=None)):
        uid = await here.node(node())
        await here.report(health(xid(95), level(0.01), node_uid=uid))
        found = await the_repair(here, 60)

        assert found.spec.rule == "hurt"
        assert [each.rule for each in found.status.faults] == ["full"]
        told = await here.events()
        assert told["RepairNoted"].startswith("hurt: full holds too: ")


@virtualtime.played
async def test_a_repair_goes_on_for_the_second_fault_when_the_first_is_gone() -> None:
    slow = replace(POLICY, drain=DrainManners(settle=DrainManners().settle * 100))
    here = await fleet()
    async with leading(here, Loaded(rules=RULES, policy=slow, provider=None)):
        uid = await here.node(node())
        await here.report(health(level(0.01), node_uid=uid))
        first = await the_repair(here, 60)
        await here.report(health(xid(95), level(0.01), node_uid=uid))
        second = await the_repair(here, 60)
        seen = await here.client.get(NODES, "n1")

        assert (first.spec.rule, first.status.phase) == ("full", Phase.DRAINING)
        assert [each.rule for each in second.status.faults] == ["hurt"]
        assert second.metadata.name == first.metadata.name
        assert seen.spec.unschedulable


NEVER = Window(days=frozenset(), opens=0, closes=0, zone=ZoneInfo("UTC"))
BUT_CRITICAL = Windows(open=(NEVER,), excepted=frozenset({Severity.CRITICAL}))
SHRINKING = rules(
    rule(question("value < 0.5"), name="low", severity=Severity.WARNING),
    rule(question("value < 0.05"), name="full", ladder=("drain",)),
)


async def disrupts(here: Fleet, word: Disruption) -> None:
    body = {"spec": {"disruption": word}}
    await here.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, body)


@pytest.mark.parametrize(
    ("free", "phase", "reason"),
    [(0.01, Phase.DRAINING, ""), (0.3, Phase.WAITING, "OutsideWindow")],
    ids=["holds", "came and went"],
)
@virtualtime.played
async def test_only_a_critical_fault_that_still_holds_need_not_wait_for_a_window(
    free: float, phase: Phase, reason: str
) -> None:
    slow = replace(POLICY, drain=DrainManners(settle=DrainManners().settle * 100))
    files = Loaded(rules=SHRINKING, policy=replace(slow, windows=BUT_CRITICAL), provider=None)
    here = await fleet()
    async with leading(here, files):
        uid = await here.node(node())
        await here.report(health(level(0.3), node_uid=uid))
        await the_repair(here, 60)
        await disrupts(here, Disruption.CLOSED)
        await here.report(health(level(0.01), node_uid=uid))
        joined = await the_repair(here, 60)
        await here.report(health(level(free), node_uid=uid))
        await the_repair(here, 200)
        await disrupts(here, Disruption.OPEN)
        found = await the_repair(here, 60)

    assert [each.rule for each in joined.status.faults] == ["full"]
    assert (found.status.phase, found.status.reason) == (phase, reason)
