"""What is held by no repair is given back, and nothing else."""

from collections.abc import Awaitable, Callable

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import Phase
from remediator import bodies
from remediator.admission import Admission
from remediator.decide.repairpods import REPAIR_PODS
from remediator.reap import Reap
from tests.builders import node, repair
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]


async def held(world: World, phase: Phase) -> World:
    await world.admission().ensure()
    await world.node(
        node("n1", fence="4:cordoned", taints=(keys.REPAIR_TAINT,), unschedulable=True)
    )
    await world.repair(repair("n1", phase=phase))
    return world


@pytest.mark.parametrize("phase", [Phase.RECOVERED, Phase.PARKED])
async def test_a_cordon_that_no_open_repair_holds_is_taken_back(
    world: MakeWorld, phase: Phase
) -> None:
    here = await held(await world(), phase)

    await Reap(client=here.client, admission=here.admission()).reap("n1")

    now = await here.client.get(NODES, "n1")
    assert not now.spec.unschedulable
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "4:released"


async def test_a_cordon_of_an_open_repair_stays(world: MakeWorld) -> None:
    here = await held(await world(), Phase.NEEDS_HUMAN)

    await Reap(client=here.client, admission=here.admission()).reap("n1")

    assert (await here.client.get(NODES, "n1")).spec.unschedulable


async def test_a_node_that_is_gone_leaves_nothing_to_take_back(world: MakeWorld) -> None:
    here = await held(await world(), Phase.RECOVERED)

    await Reap(client=here.client, admission=here.admission()).reap("unheard-of")

    assert "unheard-of" not in (await here.admission().ledger()).status.cordons
    assert (await here.client.get(NODES, "n1")).spec.unschedulable


class Replacing(Admission):
    """Reads the ledger while somebody replaces a machine."""

    async def ledger(self) -> RepairLedger:
        """Read the ledger, after the Node was made anew."""
        await self._client.delete(NODES, "n1")
        await self._client.create(NODES, {"metadata": {"name": "n1"}})
        return await super().ledger()


async def test_a_node_that_is_made_anew_meanwhile_is_left_to_the_next_look(
    world: MakeWorld,
) -> None:
    here = await held(await world(), Phase.RECOVERED)
    await here.admission().ensure()

    admission = Replacing(client=here.client, clock=clocks.wall)
    await Reap(client=here.client, admission=admission).reap("n1")

    assert (await here.client.get(NODES, "n1")).metadata.annotations == {}
    assert (await here.admission().ledger()).status.cordons == {"n1": 4}


async def test_a_cordon_stays_while_a_repair_cannot_be_read(world: MakeWorld) -> None:
    here = await held(await world(), Phase.DRAINING)
    await here.newer_phase("n1-repair")

    with pytest.raises(errors.UnreadableError, match="NodeRepair n1-repair cannot be read"):
        await Reap(client=here.client, admission=here.admission()).reap("n1")

    assert (await here.client.get(NODES, "n1")).spec.unschedulable


async def sent(here: World, name: str, *, on: str, meant_for: str = "n1") -> None:
    """Have a program sent to a node, or about to be."""
    spec = {"containers": [{"name": "errand", "image": "x"}], "schedulerName": "nodemend"}
    meta = {"name": name, "annotations": {bodies.NODE_ANNOTATION: meant_for}}
    made = {"metadata": meta, "spec": {**spec, "nodeName": on} if on else spec}
    await here.client.create(REPAIR_PODS, made, namespace=keys.REPAIR_NAMESPACE)


@pytest.mark.parametrize("on", ["n1", ""], ids=["sent", "not yet sent"])
async def test_a_node_is_given_back_only_when_nothing_can_start_there_any_more(
    world: MakeWorld, on: str
) -> None:
    here = await held(await world(), Phase.RECOVERED)
    await sent(here, "reboot-1", on=on)
    reap = Reap(client=here.client, admission=here.admission())

    await reap.reap("n1")

    assert (await here.client.get(NODES, "n1")).spec.unschedulable
    where = keys.REPAIR_NAMESPACE
    left = (await here.client.listing(REPAIR_PODS, namespace=where)).items
    assert all(each.metadata.deletion_timestamp is not None for each in left)


async def test_what_has_ended_on_a_node_keeps_it_no_longer(world: MakeWorld) -> None:
    here = await held(await world(), Phase.RECOVERED)
    await sent(here, "reboot-1", on="n1")
    ended = {"status": {"phase": "Failed"}}
    where = keys.REPAIR_NAMESPACE
    await here.client.merge_patch(
        REPAIR_PODS, "reboot-1", ended, namespace=where, subresource="status"
    )

    await Reap(client=here.client, admission=here.admission()).reap("n1")

    assert not (await here.client.get(NODES, "n1")).spec.unschedulable


async def test_a_pod_that_is_kept_by_a_finalizer_and_never_starts_keeps_no_node(
    world: MakeWorld,
) -> None:
    here = await held(await world(), Phase.RECOVERED)
    await sent(here, "reboot-1", on="")
    kept = {"metadata": {"finalizers": ["example.com/keeps"]}}
    await here.client.merge_patch(REPAIR_PODS, "reboot-1", kept, namespace=keys.REPAIR_NAMESPACE)
    reap = Reap(client=here.client, admission=here.admission())

    await reap.reap("n1")
    await reap.reap("n1")

    assert not (await here.client.get(NODES, "n1")).spec.unschedulable


async def test_what_is_about_to_be_sent_to_another_node_is_left_alone(world: MakeWorld) -> None:
    here = await held(await world(), Phase.RECOVERED)
    await sent(here, "reboot-2", on="", meant_for="n2")

    await Reap(client=here.client, admission=here.admission()).reap("n1")

    assert not (await here.client.get(NODES, "n1")).spec.unschedulable
    where = keys.REPAIR_NAMESPACE
    assert len((await here.client.listing(REPAIR_PODS, namespace=where)).items) == 1


async def test_what_no_repair_holds_is_not_uncordoned_while_others_are_at_work_on_it(
    world: MakeWorld,
) -> None:
    here, who = await held(await world(), Phase.RECOVERED), ["node-maintenance"]

    async def holder(_: Node) -> str:
        return who[0]

    reap = Reap(client=here.client, admission=here.admission(), held=holder)
    await reap.reap("n1")
    during = await here.client.get(NODES, "n1")
    who[0] = ""
    await reap.reap("n1")

    assert during.spec.unschedulable
    assert not (await here.client.get(NODES, "n1")).spec.unschedulable
