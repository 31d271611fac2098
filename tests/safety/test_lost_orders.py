"""An order that its machine's owner never heard of keeps nobody's slot for ever."""

from dataclasses import dataclass

from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.repair import Phase, Target
from remediator.providers import ProviderError
from remediator.providers.simulator import Simulator
from simulator import virtualtime
from tests.safety.test_stories import full, minutes, staged


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaf(Simulator):
    """An owner who never hears that w-1 is to be replaced."""

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Lose the order, or carry it out."""
        if target.node == "w-1":
            raise ProviderError("the connection broke")
        await Simulator().replace(target, key, client)


@virtualtime.played
async def test_a_slot_is_kept_while_an_order_may_be_on_its_way_and_traded_when_it_is_lost() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(provider=Deaf()):
            await minutes(25)
            early, before = await scene.repair("w-1"), await scene.ledger()
            scene.cluster.inject("w-2", full())
            await minutes(20)

        repair, ledger = await scene.repair("w-1"), await scene.ledger()
        assert early.status.phase is Phase.NEEDS_HUMAN
        assert before.status.slots.keys() == {"w-1"}
        assert (repair.status.phase, ledger.status.slots) == (Phase.NEEDS_HUMAN, {})
        assert ledger.status.cordons.keys() == {"w-1"}
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_node_that_a_person_uncordons_while_its_order_is_lost_is_left_to_them() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(provider=Deaf()):
            await minutes(2)
            ordered = (await scene.repair("w-1")).status.intent
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(10)
            waits = await scene.repair("w-1")
            await minutes(30)

        assert ordered is not None
        assert waits.status.intent == ordered
        assert waits.status.message.startswith("somebody uncordoned w-1: waits for what comes of")
        parked = await scene.repair("w-1")
        assert (parked.status.phase, parked.status.reason) == (Phase.PARKED, "Uncordoned")
        assert Phase.NEEDS_HUMAN not in {each.phase for each in parked.status.timeline}
        assert (await scene.ledger()).status.slots == {}
        assert not (await scene.node("w-1")).spec.unschedulable
