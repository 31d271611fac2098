"""A rule without a ladder makes an Event and nothing else."""

import asyncio

from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import Mode, Severity
from remediator.files import Loaded
from remediator.rules.policy import Policy
from simulator import virtualtime
from tests.builders import health, level, node, rule, rules
from tests.remediator.leading import Fleet, fleet, leading

FILES = Loaded(
    rules=rules(rule(severity=Severity.WARNING, ladder=(), quiet=60)),
    policy=Policy(mode=Mode.ENFORCE),
    provider=None,
)


async def full(here: Fleet) -> str:
    uid = await here.node(node())
    await here.report(health(level(0.01), node_uid=uid))
    await asyncio.sleep(5)
    return uid


@virtualtime.played
async def test_people_are_told_and_the_node_is_left_alone() -> None:
    here = await fleet()
    async with leading(here, FILES) as remediator:
        await full(here)

        assert [each.rule for each in remediator.faults.all()] == ["disk-full"]
        assert (await here.events())["FaultFound"] == (
            "disk-full: disk.free_ratio of / is 0.01 since 12:00:00. A disk is full."
        )
        assert await here.repairs() == []
        assert not (await here.agent.get(NODES, "n1")).spec.unschedulable
        ledger = await here.agent.get(REPAIR_LEDGERS, "default")
        assert ledger.status.cordons == {}


@virtualtime.played
async def test_people_are_told_when_it_is_over() -> None:
    here = await fleet()
    async with leading(here, FILES) as remediator:
        uid = await full(here)
        await here.report(health(level(0.5), node_uid=uid))
        await asyncio.sleep(59)
        before = remediator.faults.all()
        await asyncio.sleep(2)

        assert len(before) == 1
        assert remediator.faults.all() == ()
        assert "FaultOver" in await here.events()
