"""What nobody looks back at any more is forgotten."""

import asyncio
from datetime import timedelta

from nodehealth.kube.objects import NODES
from nodehealth.repair import NODE_REPAIRS, NodeRepairStatus, Phase, PhaseTime
from remediator.decide.keeping import KEPT_FOR
from remediator.files import Loaded
from remediator.rules.policy import Policy
from simulator import virtualtime
from tests.builders import node, repair, rule, rules
from tests.remediator.leading import Fleet, fleet, leading

FILES = Loaded(rules=rules(rule()), policy=Policy(), provider=None)


async def in_phase(here: Fleet, name: str, phase: Phase, *, ago: timedelta) -> None:
    """Write a repair that has been in a phase for some time."""
    made = await here.client.create(NODE_REPAIRS, repair(name))
    times = (PhaseTime(phase=phase, at=virtualtime.clock()() - ago),)
    status = NodeRepairStatus(phase=phase, timeline=times)
    body = {"metadata": made.metadata, "spec": made.spec, "status": status}
    await here.client.replace(NODE_REPAIRS, body, name=made.metadata.name, subresource="status")


async def remembered(here: Fleet) -> set[str]:
    return {each.spec.target.node for each in await here.repairs()}


@virtualtime.played
async def test_what_ended_days_ago_on_a_node_that_is_gone_is_forgotten() -> None:
    here = await fleet()
    await here.node(node("there"))
    await in_phase(here, "there", Phase.RECOVERED, ago=2 * KEPT_FOR)
    await in_phase(here, "gone", Phase.RECOVERED, ago=2 * KEPT_FOR)
    await in_phase(here, "of-late", Phase.RECOVERED, ago=KEPT_FOR - timedelta(minutes=10))
    async with leading(here, FILES):
        await asyncio.sleep(60)
        soon = await remembered(here)
        await asyncio.sleep(600)

        assert soon == {"there", "of-late"}
        assert await remembered(here) == {"there"}


@virtualtime.played
async def test_what_ended_is_forgotten_when_its_node_goes_later() -> None:
    here = await fleet()
    await here.node(node("there"))
    await in_phase(here, "there", Phase.RECOVERED, ago=2 * KEPT_FOR)
    async with leading(here, FILES):
        await asyncio.sleep(60)
        await here.agent.delete(NODES, "there")
        await asyncio.sleep(60)

        assert await remembered(here) == set()
