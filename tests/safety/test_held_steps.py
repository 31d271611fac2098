"""What was begun before disruption was closed: no new step comes, what was ordered is finished."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BUDGETS, PODS
from nodehealth.ledger import REPAIR_LEDGERS, Disruption
from nodehealth.repair import Phase, Target
from remediator.providers import MachineState
from remediator.providers.simulator import Simulator
from simulator import virtualtime
from tests.safety.test_stories import Scene, full, minutes, staged

HELD = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}


async def say(scene: Scene, disruption: Disruption) -> None:
    change = {"spec": {"disruption": disruption}}
    await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, change)


async def relax(scene: Scene) -> None:
    """Let every pod go."""
    for each in (await scene.client.listing(BUDGETS)).items:
        meta = each.metadata
        change = {"spec": {"maxUnavailable": 4}}
        await scene.client.merge_patch(BUDGETS, meta.name, change, namespace=meta.namespace)


async def pods(scene: Scene) -> set[str]:
    found = (await scene.client.listing(PODS, fields="spec.nodeName=w-1")).items
    return {each.metadata.uid for each in found if each.metadata.namespace == "default"}


@asynccontextmanager
async def draining() -> AsyncIterator[Scene]:
    """A drain that waits for a budget, while disruption was just closed."""
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            await say(scene, Disruption.CLOSED)
            yield scene


@virtualtime.played
async def test_a_drain_pauses_between_its_passes_and_keeps_its_slot() -> None:
    async with draining() as scene:
        await minutes(0.5)
        before = await pods(scene)
        await relax(scene)
        await minutes(60)
        held, left = await scene.repair("w-1"), await pods(scene)

        assert before
        assert left == before
        assert (held.status.phase, held.status.reason) == (Phase.DRAINING, "DisruptionClosed")
        assert (await scene.ledger()).status.slots.keys() == {"w-1"}


@virtualtime.played
async def test_a_drain_goes_on_at_once_with_all_its_time_when_disruption_is_opened() -> None:
    async with draining() as scene:
        await minutes(60)
        await say(scene, Disruption.OPEN)
        await minutes(5)
        patient = await scene.repair("w-1")
        await relax(scene)
        await minutes(5)

        assert patient.status.phase is Phase.DRAINING
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_machine_that_was_ordered_away_is_waited_for_and_given_back() -> None:
    async with staged(provision="10m") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            ordered = await scene.repair("w-1")
            await say(scene, Disruption.CLOSED)
            await minutes(30)

        assert ordered.status.intent is not None
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert not (await scene.node("w-1")).spec.unschedulable
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_a_remedy_that_was_not_begun_waits_after_the_one_before_it() -> None:
    async with draining() as scene:
        await say(scene, Disruption.OPEN)
        await relax(scene)
        while (await scene.repair("w-1")).status.empty_passes == 0:
            await minutes(0.01)
        await say(scene, Disruption.CLOSED)
        await minutes(30)
        waits, before = await scene.repair("w-1"), await scene.node("w-1")
        await say(scene, Disruption.OPEN)
        await minutes(10)

        assert waits.status.intent is None
        assert waits.status.reason == "DisruptionClosed"
        assert (await scene.node("w-1")).metadata.uid != before.metadata.uid
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Hesitant(Simulator):
    """An owner during whose first answer a person has disruption closed."""

    scene: Scene
    asked: list[str] = field(default_factory=list)

    async def state(self, target: Target, client: Client) -> MachineState:
        """Take its time."""
        if not self.asked:
            await say(self.scene, Disruption.CLOSED)
        self.asked.append(target.node)
        return await Simulator.state(self, target, client)


@virtualtime.played
async def test_an_order_that_was_about_to_be_claimed_is_not_given_and_is_no_attempt() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(provider=Hesitant(scene=scene)):
            await minutes(10)
            held, before = await scene.repair("w-1"), await scene.node("w-1")
            await say(scene, Disruption.OPEN)
            await minutes(10)
            after = await scene.repair("w-1")

        assert (held.status.phase, held.status.reason) == (Phase.REPAIRING, "DisruptionClosed")
        assert held.status.intent is None
        assert (await scene.node("w-1")).metadata.uid != before.metadata.uid
        assert after.status.phase is Phase.RECOVERED
        assert after.status.intent is not None
        assert after.status.intent.attempt == 1
