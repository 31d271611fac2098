"""A remediator that is told to enforce does nothing in a cluster without its admission policies."""

import asyncio

from nodehealth.protections import PROTECTIONS
from nodehealth.repair import NODE_REPAIRS, Mode, Phase
from simulator import virtualtime
from simulator.api import policies
from tests.deploy import story


@virtualtime.played
async def test_without_its_admission_policies_it_only_observes() -> None:
    async with story.staged() as scene:
        scene.cluster.direct().delete(policies.BINDINGS, PROTECTIONS[0].name)

        async with scene.remediator("one"):
            await asyncio.sleep(300)

        repairs = (await scene.client.listing(NODE_REPAIRS)).items
        assert {each.spec.mode for each in repairs} == {Mode.OBSERVE}
        assert not any([(await scene.node(name)).spec.unschedulable for name in ("w-1", "w-2")])


@virtualtime.played
async def test_it_goes_no_further_once_a_policy_is_taken_away() -> None:
    async with story.staged() as scene:
        async with scene.remediator("one"):
            await asyncio.sleep(8)
            scene.cluster.direct().delete(policies.RESOURCE, PROTECTIONS[1].name)
            await asyncio.sleep(600)

        repairs = (await scene.client.listing(NODE_REPAIRS)).items
        assert Phase.WAITING in {each.status.phase for each in repairs}
        assert "Mode" in {each.status.reason for each in repairs}
