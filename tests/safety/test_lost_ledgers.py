"""A ledger that was restored, edited by hand or filled with nonsense lets no limit be broken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Final

import pytest
from msgspec import structs

from nodehealth import keys, protections
from nodehealth.kube import errors
from nodehealth.kube.objects import Object, Resource
from nodehealth.ledger import REPAIR_LEDGERS, Disruption, RepairLedger, RepairLedgerStatus, Slot
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase
from simulator import scenario, virtualtime
from simulator.cluster import Cluster
from simulator.observer import Broken, Limits
from tests.safety import stage
from tests.safety.stage import Case
from tests.safety.test_stories import Scene, full, minutes
from tests.safety.trials import BAD_LUCK

_BINDINGS: Final = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicybindings",
    kind="ValidatingAdmissionPolicyBinding",
    namespaced=False,
    type=Object,
)
_OPEN: Final = {"spec": {"disruption": Disruption.OPEN}}
Edit = Callable[[RepairLedgerStatus], RepairLedgerStatus]


@asynccontextmanager
async def edited() -> AsyncIterator[Scene]:
    """Stage a cluster whose admins may write into the ledger: nothing else of it is forgiven."""
    spec = {
        "pools": [{"name": "w", "nodes": 4}],
        "workloads": [{"name": "web", "replicas": 4, "grace": 5}],
        "timings": {"provision": "4m", "terminate": "2s", "join": "1s"},
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    limits = Limits(cluster=1, pools={"w": 1})
    plan = scenario.read(document, "story")
    async with Cluster(plan, clock=virtualtime.clock(), limits=limits) as cluster:
        scene = Scene(cluster=cluster, client=cluster.client("test"))
        await lift_protections(scene)
        yield scene
        broken = {each.broken for each in cluster.observer.violations}
        assert broken <= {Broken.EPOCH_FELL}


async def lift_protections(scene: Scene) -> None:
    """Do as administrators can."""
    for each in protections.PROTECTIONS:
        await scene.client.delete(_BINDINGS, each.name)


async def edit(scene: Scene, change: Edit) -> None:
    """Write into the ledger what nobody admitted."""
    ledger = await scene.ledger()
    changed = structs.replace(ledger, status=change(ledger.status))
    await scene.client.replace(REPAIR_LEDGERS, changed, name=keys.LEDGER_NAME, subresource="status")


async def restore(scene: Scene, old: RepairLedger) -> None:
    """Put back a ledger of earlier, as from a backup."""
    await scene.client.delete(REPAIR_LEDGERS, keys.LEDGER_NAME)
    meta = {"name": keys.LEDGER_NAME}
    made = await scene.client.create(REPAIR_LEDGERS, {"metadata": meta, "spec": old.spec})
    body = structs.replace(made, status=old.status)
    await scene.client.replace(REPAIR_LEDGERS, body, name=keys.LEDGER_NAME, subresource="status")


async def _no_slots(scene: Scene, _: RepairLedger) -> None:
    await edit(scene, lambda status: structs.replace(status, slots={}))


async def _nothing(scene: Scene, _: RepairLedger) -> None:
    await edit(scene, lambda status: structs.replace(status, slots={}, cordons={}, buckets={}))


async def _a_slot_for_another(scene: Scene, _: RepairLedger) -> None:
    def swapped(status: RepairLedgerStatus) -> RepairLedgerStatus:
        return structs.replace(status, slots={"w-4": next(iter(status.slots.values()))})

    await edit(scene, swapped)


async def _an_epoch_to_come(scene: Scene, _: RepairLedger) -> None:
    def raised(status: RepairLedgerStatus) -> RepairLedgerStatus:
        return structs.replace(status, slots={}, cordons={"w-4": status.epoch + 5})

    await edit(scene, raised)


@pytest.mark.parametrize(
    "loses", [restore, _no_slots, _nothing, _a_slot_for_another, _an_epoch_to_come]
)
@virtualtime.played
async def test_what_a_ledger_lost_is_put_back_and_a_person_lets_it_go_on(
    loses: Callable[[Scene, RepairLedger], object],
) -> None:
    async with edited() as scene, scene.remediator(), scene.remediator():
        await asyncio.sleep(5)
        old = await scene.ledger()
        scene.cluster.inject("w-1", full())
        await minutes(1)
        scene.cluster.inject("w-2", full())
        await asyncio.sleep(30)
        await loses(scene, old)  # type: ignore[misc] # every one of them is awaited
        await minutes(1)
        closed = await scene.ledger()
        await minutes(10)
        waiting = await scene.repair("w-2")
        await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, _OPEN)
        await minutes(20)
        opened = await scene.ledger()

        assert closed.spec.disruption is Disruption.CLOSED
        assert closed.status.rebuilt is not None
        assert closed.status.slots.keys() >= {"w-1"}
        assert waiting.status.phase is Phase.WAITING
        for name in ("w-1", "w-2"):
            assert (await scene.repair(name)).status.phase is Phase.RECOVERED
        assert opened.status.rebuilt is None
        assert (opened.status.slots, opened.status.cordons) == ({}, {})


@virtualtime.played
async def test_a_slot_that_nobody_holds_is_reaped_and_closes_nothing() -> None:
    def added(status: RepairLedgerStatus) -> RepairLedgerStatus:
        made_up = Slot(
            epoch=status.epoch,
            node_uid="none",
            repair="none",
            acquired_at=virtualtime.clock()(),
        )
        return structs.replace(status, slots={**status.slots, "w-4": made_up})

    async with edited() as scene, scene.remediator():
        scene.cluster.inject("w-1", full())
        await minutes(1)
        await edit(scene, added)
        await minutes(20)

        ledger = await scene.ledger()
        assert ledger.spec.disruption is Disruption.OPEN
        assert ledger.status.slots == {}
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED


async def forget(scene: Scene, when: Callable[[NodeRepair], bool]) -> None:
    """Delete the repair as soon as it is so."""
    for _ in range(2000):
        await asyncio.sleep(1)
        for each in (await scene.client.listing(NODE_REPAIRS)).items:
            if when(each):
                await scene.client.delete(NODE_REPAIRS, each.metadata.name)
                return


@virtualtime.played
async def test_a_dead_node_keeps_its_slot_under_an_order_until_a_person_speaks() -> None:
    async with edited() as scene, scene.remediator():
        scene.cluster.inject("w-1", "kubelet-dead")
        await forget(scene, lambda each: each.status.intent is not None)
        await asyncio.sleep(100)
        before = await scene.ledger()
        epoch = before.status.slots["w-1"].epoch
        said = {"spec": {"released": {"w-1": epoch}}}
        await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, said)
        await minutes(30)

        assert before.spec.disruption is Disruption.OPEN
        assert (await scene.ledger()).status.slots == {}
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_node_that_dies_after_it_was_only_drained_gives_its_slot_back_by_itself() -> None:
    async with edited() as scene, scene.remediator():
        scene.cluster.inject("w-1", full())
        await forget(scene, lambda each: each.status.disruption_epoch > 0)
        scene.cluster.inject("w-1", "kubelet-dead")
        first = (await scene.ledger()).status.slots["w-1"].epoch
        await minutes(30)

        again = await scene.repair("w-1")
        assert again.status.disruption_epoch > first
        assert again.status.phase is Phase.RECOVERED
        assert (await scene.ledger()).spec.released == {}


@virtualtime.played
async def test_a_ledger_is_closed_once_for_one_loss() -> None:
    async with edited() as scene, scene.remediator(), scene.remediator():
        scene.cluster.inject("w-1", full())
        await minutes(1)
        await edit(scene, lambda status: structs.replace(status, slots={}))
        await minutes(1)
        first = await scene.ledger()
        await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, _OPEN)
        await minutes(20)

        assert first.spec.disruption is Disruption.CLOSED
        assert (await scene.ledger()).spec.disruption is Disruption.OPEN


async def meddle(cluster: Cluster, random: Random) -> None:
    """Take entries out of the ledger again and again, and open it each time after a minute."""
    scene = Scene(cluster=cluster, client=cluster.client("test"))
    await lift_protections(scene)
    while True:
        await asyncio.sleep(random.uniform(20, 90))
        with contextlib.suppress(errors.GoneError, errors.ConflictError):
            await edit(scene, lambda status: poorer(status, random))
        await minutes(1)
        with contextlib.suppress(errors.GoneError):
            await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, _OPEN)


def poorer(status: RepairLedgerStatus, random: Random) -> RepairLedgerStatus:
    """Take out some of what is there."""
    kept = {name: each for name, each in status.slots.items() if random.random() < 0.3}
    cordons = {name: each for name, each in status.cordons.items() if random.random() < 0.6}
    return structs.replace(status, slots=kept, cordons=cordons)


def test_no_limit_is_broken_however_often_somebody_takes_entries_out(
    seeds: Iterable[int],
) -> None:
    for seed in seeds:
        ending = stage.play(
            seed,
            replicas=2,
            limit=1 + seed % 2,
            luck=BAD_LUCK,
            lag=timedelta(seconds=seed % 7),
            case=Case(meddler=meddle),
        )

        assert [each for each in ending.breaches if each.promise == Broken.LIMIT.name] == []
        assert ending.phases() == {Phase.RECOVERED}
        assert not any(node.spec.unschedulable for node in ending.nodes)
