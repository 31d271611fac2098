"""What goes wrong on the way: passing faults, slow machines, people who meddle, a ledger lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS, Node
from nodehealth.ledger import REPAIR_LEDGERS, Disruption, RepairLedger
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, Phase, Target
from remediator.files import Loaded
from remediator.providers import MachineState, Provider, UnableError
from remediator.providers.simulator import MACHINES, Simulator
from remediator.replica import Replica
from remediator.rules.policy import Limit, Policy
from remediator.rules.rule import RuleSet
from remediator.trail import SILENT, Trail
from simulator import scenario, virtualtime
from simulator.api.audit import AuditEntry
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.observer import Broken, Limits
from tests.safety.stage import PROVIDER, RULES, policy
from tests.safety.witnesses.court import Court, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A cluster, and a remediator that is started and stopped as the story wants."""

    cluster: Cluster
    client: Client

    @asynccontextmanager
    async def remediator(
        self,
        *,
        mode: Mode = Mode.ENFORCE,
        provider: Provider | None = PROVIDER,
        under: Policy | None = None,
        rules: RuleSet = RULES,
        trail: Trail = SILENT,
    ) -> AsyncIterator[Replica]:
        """Let a remediator without any memory run for a while."""
        within = replace(under or policy(), mode=mode)
        files = Loaded(rules=rules, policy=within, provider=provider)
        client = self.cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
        one = Replica(
            files, client=client, clock=virtualtime.clock(), random=Random(1), trail=trail
        )
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(each.run()) for each in one.reflectors
        ]
        tasks.append(asyncio.create_task(one.lead()))
        try:
            yield one
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def repair(self, node: str) -> NodeRepair:
        """Return the newest repair of a node."""
        found = [
            each
            for each in (await self.client.listing(NODE_REPAIRS)).items
            if each.spec.target.node == node
        ]
        return max(found, key=lambda each: each.metadata.name)

    async def node(self, name: str) -> Node:
        """Return a Node."""
        return await self.client.get(NODES, name)

    async def ledger(self) -> RepairLedger:
        """Return the ledger."""
        return await self.client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)


@asynccontextmanager
async def staged(
    *,
    workloads: tuple[dict[str, Any], ...] = (),
    forgiven: frozenset[Broken] = frozenset(),
    pardoned: frozenset[str] = frozenset(),
    agents: bool = True,
    nodes: int = 4,
    gpus: int = 0,
    most: int = 1,
    **timings: str,
) -> AsyncIterator[Scene]:
    """Stage a cluster of some nodes, all well, in which so many may be disrupted at once."""
    spec = {
        "pools": [{"name": "w", "nodes": nodes, "gpus": gpus}],
        "workloads": list(workloads),
        "agents": agents,
        "timings": {"provision": "5s", "terminate": "2s", "join": "1s", **timings},
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    plan = scenario.read(document, "story")
    limits = Limits(cluster=most, pools={"w": most})
    async with Cluster(plan, clock=virtualtime.clock(), limits=limits) as cluster:
        court = Court.opened(cluster, Terms(most=most))
        yield Scene(cluster=cluster, client=cluster.client("test"))
        names = {each.name for each in forgiven} | pardoned
        assert [each for each in court.breaches() if each.promise not in names] == []


def full(**more: str) -> dict[str, object]:
    return {"disk-full": {"mount": "/scratch", **more}}


async def minutes(count: float) -> None:
    await asyncio.sleep(count * 60)


@virtualtime.played
async def test_a_fault_that_passed_while_nobody_looked_disrupts_nobody() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await asyncio.sleep(5)
            scene.cluster.inject("w-2", full(lasts="90s"))
            await asyncio.sleep(15)
        waiting, before = await scene.repair("w-2"), (await scene.node("w-2")).metadata.uid
        await minutes(9)

        async with scene.remediator():
            await minutes(5)

        after = await scene.repair("w-2")
        assert waiting.status.phase is Phase.WAITING
        assert (after.status.phase, after.status.reason) == (Phase.RECOVERED, "FaultGone")
        assert (await scene.node("w-2")).metadata.uid == before
        assert not (await scene.node("w-2")).spec.unschedulable


@virtualtime.played
async def test_without_evidence_a_waiting_node_is_left_as_it_is() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-1", "agent-silent")
        async with scene.remediator(mode=Mode.OBSERVE):
            await asyncio.sleep(30)
        await scene.client.delete(NODE_HEALTHS, "w-1")

        async with scene.remediator():
            await minutes(30)

        assert not (await scene.node("w-1")).spec.unschedulable
        assert (await scene.ledger()).status.epoch == 0


@virtualtime.played
async def test_a_machine_that_is_late_keeps_its_slot_until_it_is_back() -> None:
    async with staged(provision="45m") as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-2", full(survives="nothing"))
        async with scene.remediator():
            await minutes(30)
            late, meanwhile = await scene.repair("w-1"), await scene.ledger()
            await minutes(60)

        assert late.status.phase is Phase.NEEDS_HUMAN
        assert meanwhile.status.slots.keys() == {"w-1"}
        assert (await scene.ledger()).status.slots.keys() == {"w-2"}
        assert (await scene.node("w-1")).spec.unschedulable


@virtualtime.played
async def test_who_waits_for_a_full_pool_asks_seldom_and_goes_on_as_soon_as_it_may() -> None:
    asked = list[AuditEntry]()
    async with staged(provision="10m") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            scene.cluster.inject("w-2", full())
            await minutes(2)
            waiting = await scene.repair("w-2")
            scene.cluster.api.on_request(asked.append)
            await minutes(4)
            looks = [each for each in asked if each.name == waiting.metadata.name]
            await minutes(40)

        ended = {name: await scene.repair(name) for name in ("w-1", "w-2")}
        began = next(e.at for e in ended["w-2"].status.timeline if e.phase is Phase.DRAINING)
        given_back = ended["w-1"].status.timeline[-1].at
        assert waiting.status.reason == "NoSlot"
        assert len(looks) <= 4
        assert began - given_back < timedelta(seconds=5)


@virtualtime.played
async def test_a_repair_deleted_by_a_person_keeps_its_slot_while_the_machine_is_away() -> None:
    async with staged(provision="10m") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            scene.cluster.inject("w-2", full())
            await scene.client.delete(NODE_REPAIRS, (await scene.repair("w-1")).metadata.name)
            await minutes(5)
            meanwhile = await scene.ledger()
            await minutes(40)

        assert meanwhile.status.slots.keys() == {"w-1"}
        assert (await scene.ledger()).status.slots == {}
        assert not (await scene.node("w-1")).spec.unschedulable
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_repair_deleted_while_it_drains_gives_its_slot_back_before_another_begins() -> None:
    held = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}
    async with staged(workloads=(held,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            deleted = await scene.repair("w-1")
            await scene.client.delete(NODE_REPAIRS, deleted.metadata.name)
            await minutes(2)
            anew, ledger = await scene.repair("w-1"), await scene.ledger()

        assert deleted.status.phase is Phase.DRAINING
        assert anew.metadata.uid != deleted.metadata.uid
        assert anew.status.phase is Phase.DRAINING
        assert ledger.status.slots["w-1"].epoch > deleted.status.disruption_epoch


@virtualtime.played
async def test_what_a_budget_protects_survives_a_drain_that_fails() -> None:
    database = {
        "name": "db",
        "kind": "StatefulSet",
        "replicas": 4,
        "budget": {"max-unavailable": 0},
    }
    async with staged(workloads=(database,)) as scene:
        held = {pod.metadata.uid for pod in (await scene.client.listing(PODS)).items}
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(40)
        hopeless = await scene.repair("w-1")

        assert hopeless.status.phase is Phase.NEEDS_HUMAN
        assert "the disruption budget db (maxUnavailable: 0) never lets" in hopeless.status.message
        assert {pod.metadata.uid for pod in (await scene.client.listing(PODS)).items} == held
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_a_hopeless_node_that_a_person_uncordons_is_left_to_them() -> None:
    held = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}
    async with staged(workloads=(held,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(40)
            hopeless = await scene.repair("w-1")
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(10)

        repair, node = await scene.repair("w-1"), await scene.node("w-1")
        assert hopeless.status.phase is Phase.NEEDS_HUMAN
        assert (repair.metadata.uid, repair.status.phase) == (hopeless.metadata.uid, Phase.PARKED)
        assert not node.spec.unschedulable
        assert (await scene.ledger()).status.cordons == {}


@virtualtime.played
async def test_a_hopeless_node_does_not_stop_the_others() -> None:
    alone = {"name": "alone", "kind": "Pod", "replicas": 4}
    async with staged(workloads=(alone,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(35)
            for pod in (await scene.client.listing(PODS, fields="spec.nodeName=w-2")).items:
                if pod.metadata.namespace == "default":
                    await scene.client.delete(PODS, pod.metadata.name, namespace="default")
            scene.cluster.inject("w-2", full())
            await minutes(10)

        assert (await scene.repair("w-1")).status.phase is Phase.NEEDS_HUMAN
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_lost_ledger_is_rebuilt_and_closed_and_what_is_under_way_goes_on() -> None:
    # a new ledger has no epoch for the moment between its creation and its first status
    async with staged(provision="3m", forgiven=frozenset({Broken.EPOCH_FELL})) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            scene.cluster.inject("w-2", full())
            await asyncio.sleep(30)
            epoch = (await scene.ledger()).status.epoch
            await scene.client.delete(REPAIR_LEDGERS, keys.LEDGER_NAME)
            await minutes(10)
            rebuilt, waiting = await scene.ledger(), await scene.repair("w-2")
            opened = {"spec": {"disruption": Disruption.OPEN}}
            await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, opened)
            await minutes(10)

        assert rebuilt.spec.disruption is Disruption.CLOSED
        assert rebuilt.status.epoch > epoch
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert (waiting.status.phase, waiting.status.reason) == (Phase.WAITING, "DisruptionClosed")
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_turning_the_mode_down_stops_what_has_not_begun() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-2", full())
        async with scene.remediator():
            await asyncio.sleep(20)
        async with scene.remediator(mode=Mode.OFF):
            await minutes(60)
        stopped = {(await scene.repair(name)).status.reason for name in ("w-1", "w-2")}
        async with scene.remediator():
            await minutes(10)

        assert "Mode" in stopped
        assert {(await scene.repair(name)).status.phase for name in ("w-1", "w-2")} == {
            Phase.RECOVERED
        }


@virtualtime.played
async def test_who_was_only_watched_is_repaired_once_the_mode_allows_it() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(mode=Mode.OBSERVE):
            await minutes(5)
        watched, untouched = await scene.repair("w-1"), await scene.node("w-1")
        async with scene.remediator():
            await minutes(5)

        assert watched.status.reason == "ObserveOnly"
        assert not untouched.spec.unschedulable
        assert keys.FENCE_ANNOTATION not in untouched.metadata.annotations
        assert (await scene.repair("w-1")).spec.mode is Mode.ENFORCE
        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_a_node_that_somebody_had_cordoned_stays_cordoned_after_us() -> None:
    async with staged(provision="5m") as scene:
        await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": True}})
        scene.cluster.inject("w-2", full())
        async with scene.remediator():
            await minutes(1)
            scene.cluster.inject("w-1", full(lasts="60s"))
            await minutes(3)
        repair, node = await scene.repair("w-1"), await scene.node("w-1")
        assert repair.status.phase is Phase.RECOVERED
        assert repair.status.pre_cordoned
        assert node.spec.unschedulable
        assert not any(taint.key == keys.REPAIR_TAINT for taint in node.spec.taints)


@virtualtime.played
async def test_a_node_that_a_person_uncordons_is_left_to_them_and_its_slot_to_others() -> None:
    held = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}
    async with staged(workloads=(held,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            draining = await scene.repair("w-1")
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(5)

        repair, node = await scene.repair("w-1"), await scene.node("w-1")
        assert draining.status.phase is Phase.DRAINING
        assert (repair.status.phase, repair.status.reason) == (Phase.PARKED, "Uncordoned")
        assert not node.spec.unschedulable
        assert not any(taint.key == keys.REPAIR_TAINT for taint in node.spec.taints)
        assert (await scene.ledger()).status.slots == {}
        assert (await scene.ledger()).status.cordons == {}


@virtualtime.played
async def test_a_hopeless_machine_that_a_person_took_away_takes_no_room_from_the_others() -> None:
    held = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}
    one = Limit(cordoned=(1,), disrupted=(1,))
    async with staged(workloads=(held,), provision="1000h") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=replace(policy(), limit=one)):
            await minutes(35)
            hopeless = await scene.repair("w-1")
            await scene.client.delete(MACHINES, "w-1")
            await minutes(2)
            scene.cluster.inject("w-2", full())
            await minutes(2)

        over = await scene.repair("w-1")
        assert hopeless.status.phase is Phase.NEEDS_HUMAN
        assert (over.status.phase, over.status.reason) == (Phase.RECOVERED, "NodeAbsent")
        assert (await scene.repair("w-2")).status.phase is Phase.DRAINING


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming(Simulator):
    """Gives each successor another name, some time after the machine was ordered away."""

    takes: timedelta = timedelta()
    ordered: list[float] = field(default_factory=list)

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say that the successor has joined once that took its time."""
        said = await Simulator.state(self, target, client)
        if said is not MachineState.LEAVING or not self.ordered:
            return said
        spent = asyncio.get_running_loop().time() - self.ordered[0]
        return MachineState.REPLACED if spent >= self.takes.total_seconds() else said

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Note when it was ordered."""
        self.ordered.append(asyncio.get_running_loop().time())
        await Simulator.replace(self, target, key, client)


@pytest.mark.parametrize("takes", [1, 45], ids=["soon", "late"])
@virtualtime.played
async def test_a_successor_of_another_name_frees_the_slot(takes: int) -> None:
    async with staged(provision="1000h") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(provider=Renaming(takes=timedelta(minutes=takes))):
            await minutes(3)
            meanwhile = await scene.ledger()
            await minutes(takes + 5)

        repair, after = await scene.repair("w-1"), await scene.ledger()
        assert meanwhile.status.slots.keys() == {"w-1"}
        assert (repair.status.phase, repair.status.reason) == (
            Phase.RECOVERED,
            "ReplacedElsewhere",
        )
        assert (after.status.slots, after.status.cordons) == ({}, {})


class Refusing(Simulator):
    """An owner of machines that replaces none."""

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Refuse the order."""
        raise UnableError("the quota is spent")


@virtualtime.played
async def test_an_owner_that_refuses_to_replace_a_machine_leaves_the_slot_to_others() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(provider=Refusing()):
            await minutes(5)

        hopeless = await scene.repair("w-1")
        assert hopeless.status.phase is Phase.NEEDS_HUMAN
        assert "the quota is spent" in hopeless.status.message
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_what_is_held_by_no_repair_is_not_asked_about_at_every_change() -> None:
    asked = list[str]()
    async with staged(provision="1000h") as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(3)
            await scene.client.delete(NODE_REPAIRS, (await scene.repair("w-1")).metadata.name)
            scene.cluster.api.on_request(lambda each: asked.append(f"{each.verb} {each.resource}"))
            for n in range(300):
                change = {"metadata": {"annotations": {"test": str(n)}}}
                await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, change)
                await asyncio.sleep(2)

        assert (await scene.ledger()).status.slots.keys() == {"w-1"}
        assert 0 < asked.count("list noderepairs.nodemend.dev") <= 11
