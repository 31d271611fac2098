"""Silent kubelets are found out, and their pods stay as long as a real cluster lets them."""

import asyncio
from datetime import timedelta

from simulator.api.wire import JsonObject
from simulator.scenario import Workload
from simulator.virtualtime import played
from tests.simulator.small_clusters import Look, small, until

WEB = Workload(name="web", replicas=3)
UNREACHABLE = "node.kubernetes.io/unreachable"


def _taints(node: JsonObject) -> set[tuple[str, str]]:
    return {(taint["key"], taint["effect"]) for taint in node["spec"].get("taints", [])}


@played
async def test_a_dead_kubelet_makes_its_node_unknown_and_unreachable() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject("general-1", "kubelet-dead")

        took = await until(lambda: look.ready("general-1") == "Unknown")
        await asyncio.sleep(1)

        assert timedelta(seconds=40) <= took <= timedelta(seconds=66)
        assert _taints(look.node("general-1")) == {
            (UNREACHABLE, "NoSchedule"),
            (UNREACHABLE, "NoExecute"),
        }
        assert look.ready("general-2") == "True"


@played
async def test_pods_of_a_dead_kubelet_are_deleted_after_300_s_and_never_end() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        (victim,) = look.running("web", "general-1")
        cluster.inject("general-1", "kubelet-dead")
        await until(lambda: look.ready("general-1") == "Unknown")

        took = await until(lambda: victim not in look.running("web"))
        await asyncio.sleep(3600)

        assert timedelta(seconds=299) <= took <= timedelta(seconds=302)
        zombie = look.direct.get("pods", victim, namespace="default")
        assert zombie["metadata"]["deletionTimestamp"]
        assert len(look.running("web")) == 3


@played
async def test_zombies_end_when_somebody_vouches_that_the_machine_is_off() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        (victim,) = look.running("web", "general-1")
        cluster.inject("general-1", "kubelet-dead")
        await asyncio.sleep(500)

        taints = look.node("general-1")["spec"]["taints"]
        key = "node.kubernetes.io/out-of-service"
        vouched = {"key": key, "value": "nodeshutdown", "effect": "NoExecute"}
        look.direct.merge("nodes", "general-1", {"spec": {"taints": [*taints, vouched]}})
        took = await until(lambda: look.direct.find("pods", victim, namespace="default") is None)

        assert took <= timedelta(seconds=21)


@played
async def test_pods_that_are_not_told_to_go_are_first_expelled_from_a_node_out_of_service() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        (victim,) = look.running("web", "general-1")
        cluster.inject("general-1", "kubelet-dead")
        await until(lambda: look.ready("general-1") == "Unknown")

        taints = look.node("general-1")["spec"]["taints"]
        vouched = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
        look.direct.merge("nodes", "general-1", {"spec": {"taints": [*taints, vouched]}})
        await asyncio.sleep(1)
        expelled = look.direct.get("pods", victim, namespace="default")
        await asyncio.sleep(20)

        assert expelled["metadata"]["deletionTimestamp"]
        assert look.direct.find("pods", victim, namespace="default") is None


@played
async def test_a_node_that_is_ready_loses_no_pod_by_force_however_it_is_tainted() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        vouched = {"key": "node.kubernetes.io/out-of-service", "effect": "NoSchedule"}
        look.direct.merge("nodes", "general-1", {"spec": {"taints": [vouched]}})

        await asyncio.sleep(60)

        assert len(look.running("web", "general-1")) == 1


@played
async def test_a_kubelet_that_comes_back_clears_its_taints_and_keeps_its_pods() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        before = look.running("web", "general-1")
        cluster.inject("general-1", {"kubelet-dead": {"lasts": "3m"}})
        await until(lambda: look.ready("general-1") == "Unknown")

        await until(lambda: look.ready("general-1") == "True")
        await asyncio.sleep(10)

        assert _taints(look.node("general-1")) == set()
        assert look.running("web", "general-1") == before


@played
async def test_a_kubelet_that_comes_back_before_it_is_missed_ends_the_pods_that_are_to_go() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        (victim,) = look.running("web", "general-1")
        cluster.inject("general-1", {"kubelet-dead": {"lasts": "30s"}})
        await asyncio.sleep(2)

        look.direct.evict(victim, namespace="default")
        took = await until(lambda: look.direct.find("pods", victim, namespace="default") is None)

        assert look.ready("general-1") == "True"
        assert timedelta(seconds=28) <= took <= timedelta(seconds=40)


@played
async def test_many_kubelets_may_die_at_once() -> None:
    async with small(nodes=12) as cluster:
        look = Look(cluster)
        names = [f"general-{number:02}" for number in range(1, 11)]
        for name in names:
            cluster.inject(name, "power-loss")

        await asyncio.sleep(70)

        assert {look.ready(name) for name in names} == {"Unknown"}
        assert look.ready("general-11") == "True"


@played
async def test_pods_go_with_their_node() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)

        look.direct.delete("nodes", "general-1")
        await asyncio.sleep(10)

        assert look.pods(node="general-1") == []
        assert len(look.running("web")) == 3
