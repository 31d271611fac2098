"""Nodes whose kubelets are dead are emptied by force only once their machines are proven off."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS, Node
from nodehealth.repair import NodeRepair, Phase, Proof, Target
from remediator.providers import MachineState, Power, ProviderError, UnableError
from remediator.providers.simulator import Simulator
from simulator import virtualtime
from simulator.api.store import Change
from simulator.cluster import Cluster
from tests.safety.stage import SICK
from tests.safety.tales import RULES
from tests.safety.test_stories import Scene, full, minutes, staged

WEB: dict[str, Any] = {"name": "web", "replicas": 8, "budget": {"max-unavailable": 1}}
DATABASE: dict[str, Any] = {
    "name": "db",
    "kind": "StatefulSet",
    "replicas": 4,
    "budget": {"max-unavailable": 1},
}


class Incapable(Simulator):
    """An owner that can replace machines and not switch them off."""

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Refuse."""
        raise UnableError("machines of this kind have no switch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moody(Simulator):
    """An owner that does what it is told, and every other time says nothing of it."""

    orders: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say how the machine is, or fail."""
        self._sulk("state")
        return await Simulator().state(target, client)

    async def power(self, target: Target, client: Client) -> Power:
        """Say whether the machine is on, or fail."""
        self._sulk("power")
        return await Simulator().power(target, client)

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Switch the machine off, and fail."""
        self.orders.append(key)
        await Simulator().fence(target, key, client)
        raise ProviderError("the connection broke")

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Replace the machine, and fail."""
        self.orders.append(key)
        await Simulator().replace(target, key, client)
        raise ProviderError("the connection broke")

    def _sulk(self, question: str) -> None:
        self.asked.append(question)
        if len(self.asked) % 4 == 0:
            raise ProviderError(f"no answer to {question}")


@dataclass(slots=True)
class Watcher:
    """Notes from the API server's history what happened in which order."""

    marked: list[tuple[str, datetime]] = field(default_factory=list)
    proven: dict[str, datetime] = field(default_factory=dict)

    def attach(self, cluster: Cluster) -> None:
        cluster.api.on_commit(self._saw)

    def _saw(self, change: Change) -> None:
        if change.now is None:
            return
        if change.resource == "nodes":
            node = msgspec.json.decode(change.now.body, type=Node)
            if any(taint.key == keys.OUT_OF_SERVICE_TAINT for taint in node.spec.taints):
                self.marked.append((node.metadata.name, change.at))
                assert node.metadata.name in self.proven
        if change.resource == "noderepairs.nodemend.dev":
            repair = msgspec.json.decode(change.now.body, type=NodeRepair)
            fencing = repair.status.fencing
            if fencing is not None and fencing.method is not None:
                self.proven.setdefault(repair.spec.target.node, change.at)


def die(scene: Scene, node: str, **more: str) -> None:
    scene.cluster.inject(node, full())
    scene.cluster.inject(node, {"kubelet-dead": {**more}})


async def pods_on(scene: Scene, node: str) -> set[str]:
    listing = await scene.client.listing(PODS, namespace="default", fields=f"spec.nodeName={node}")
    return {pod.metadata.name for pod in listing.items}


@virtualtime.played
async def test_dead_nodes_are_all_repaired_one_after_the_other() -> None:
    async with staged(workloads=(WEB, DATABASE)) as scene:
        watcher = Watcher()
        watcher.attach(scene.cluster)
        for name in SICK:
            die(scene, name)

        async with scene.remediator():
            await minutes(40)

        phases = {name: (await scene.repair(name)).status.phase for name in SICK}
        assert phases == dict.fromkeys(SICK, Phase.RECOVERED)
        assert {name for name, _ in watcher.marked} == set(SICK)
        assert all(watcher.proven[name] <= at for name, at in watcher.marked)
        assert (await scene.repair("w-1")).status.fencing is not None


@virtualtime.played
async def test_a_machine_that_lost_its_power_is_ordered_off_and_proven_off() -> None:
    async with staged(workloads=(WEB,)) as scene:
        scene.cluster.inject("w-1", full())
        await asyncio.sleep(2)
        scene.cluster.inject("w-1", "power-loss")

        async with scene.remediator():
            await minutes(20)

        repair = await scene.repair("w-1")
        assert repair.status.phase is Phase.RECOVERED
        assert repair.status.fencing is not None
        assert repair.status.fencing.method is Proof.POWERED_OFF


@virtualtime.played
async def test_what_no_owner_can_prove_off_is_left_to_a_person_and_stops_nobody() -> None:
    async with staged(workloads=(WEB,)) as scene:
        watcher = Watcher()
        watcher.attach(scene.cluster)
        die(scene, "w-1")
        stuck = await pods_on(scene, "w-1")

        async with scene.remediator(provider=Incapable()):
            await minutes(15)
            scene.cluster.inject("w-2", full())
            await minutes(15)

        repair = await scene.repair("w-1")
        assert (repair.status.phase, repair.status.reason) == (Phase.NEEDS_HUMAN, "NotFenced")
        assert "no switch" in repair.status.message
        assert watcher.marked == []
        assert stuck
        assert await pods_on(scene, "w-1") == stuck
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_an_order_that_nobody_sees_carried_out_brings_a_person_and_keeps_the_slot() -> None:
    async with staged(workloads=(WEB,), power="5h") as scene:
        die(scene, "w-1")

        async with scene.remediator():
            await minutes(30)

        repair = await scene.repair("w-1")
        assert (repair.status.phase, repair.status.reason) == (Phase.NEEDS_HUMAN, "NotFenced")
        assert "its owner says that it is on" in repair.status.message
        assert (await scene.ledger()).status.slots.keys() == {"w-1"}


@virtualtime.played
async def test_a_kubelet_that_speaks_again_before_its_machine_is_off_ends_its_pods_itself() -> None:
    async with staged(workloads=(WEB,), power="60m") as scene:
        watcher = Watcher()
        watcher.attach(scene.cluster)
        die(scene, "w-1", lasts="5m")

        async with scene.remediator():
            await minutes(30)

        repair = await scene.repair("w-1")
        assert repair.status.phase is Phase.RECOVERED
        assert Phase.FENCING in {each.phase for each in repair.status.timeline}
        assert watcher.marked == []


@virtualtime.played
async def test_a_pod_with_a_finalizer_does_not_hold_up_a_machine_that_is_off() -> None:
    async with staged(workloads=(WEB,)) as scene:
        (name, *_) = await pods_on(scene, "w-1")
        held = {"metadata": {"finalizers": ["example.com/bookkeeping"]}}
        await scene.client.merge_patch(PODS, name, held, namespace="default")
        die(scene, "w-1")

        async with scene.remediator():
            await minutes(20)

        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert name in await pods_on(scene, "w-1")


@virtualtime.played
async def test_an_owner_whose_answers_get_lost_is_told_everything_once() -> None:
    async with staged(workloads=(WEB,)) as scene:
        owner = Moody()
        die(scene, "w-1")

        async with scene.remediator(provider=owner):
            await minutes(30)

        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert len(owner.orders) == len(set(owner.orders)) == 2


@virtualtime.played
async def test_machines_that_only_lost_their_power_are_all_found_and_repaired() -> None:
    async with staged(workloads=(WEB, DATABASE)) as scene:
        for name in SICK:
            scene.cluster.inject(name, "power-loss")

        async with scene.remediator():
            await minutes(90)

        repairs = [await scene.repair(name) for name in SICK]
        assert [each.status.phase for each in repairs] == [Phase.RECOVERED] * 3
        assert {each.spec.rule for each in repairs} == {"not-ready"}
        assert all(each.status.fencing is not None for each in repairs)


@virtualtime.played
async def test_a_budget_that_a_dead_nodes_own_pods_use_up_does_not_keep_it_from_its_fence() -> None:
    async with staged(workloads=(WEB,)) as scene:
        watcher = Watcher()
        watcher.attach(scene.cluster)
        die(scene, "w-1")
        await minutes(1)

        async with scene.remediator(rules=RULES):
            await minutes(10)

        repair = await scene.repair("w-1")
        assert any("disruption budget web" in each.advice for each in repair.status.obstacles)
        assert repair.status.phase is Phase.RECOVERED
        assert [name for name, _ in watcher.marked] != []
