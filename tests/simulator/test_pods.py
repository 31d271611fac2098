"""Pods start, end, move and come back as they do in a cluster."""

import asyncio
from datetime import timedelta

import pytest

from simulator.api import wire
from simulator.api.status import StatusError
from simulator.scenario import Budget, Workload, WorkloadKind
from simulator.virtualtime import played
from tests.simulator.small_clusters import Look, small, until

WEB = Workload(name="web", replicas=4, budget=Budget(max_unavailable=1))
DB = Workload(name="db", kind=WorkloadKind.STATEFUL_SET, replicas=2)
LOGS = Workload(name="logs", kind=WorkloadKind.DAEMON_SET)


@played
async def test_an_evicted_pod_of_a_deployment_lands_on_another_node() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        (victim, *_) = look.running("web", "general-1")
        look.cordon("general-1")

        look.direct.evict(victim, namespace="default")
        await asyncio.sleep(10)

        assert len(look.running("web")) == 4
        assert victim not in look.running("web")
        assert victim not in {pod["metadata"]["name"] for pod in look.pods()}


@played
async def test_a_budget_blocks_an_eviction_until_the_pod_is_back() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        first, second, *_ = look.running("web")

        look.direct.evict(first, namespace="default")
        with pytest.raises(StatusError) as refused:
            look.direct.evict(second, namespace="default")
        await asyncio.sleep(10)
        look.direct.evict(second, namespace="default")

        assert refused.value.code == 429


@played
async def test_a_pod_takes_its_time_to_end_but_never_more_than_its_grace() -> None:
    slow = Workload(name="slow", replicas=1, stops_after=timedelta(seconds=10))
    stuck = Workload(name="stuck", replicas=1, grace=20, stops_after=timedelta(hours=1))
    async with small(slow, stuck) as cluster:
        look = Look(cluster)
        took = []
        for app in ("slow", "stuck"):
            (name,) = look.running(app)
            look.direct.evict(name, namespace="default")
            found = look.direct.find
            gone = await until(lambda: found("pods", name, namespace="default") is None)  # noqa: B023 - waited for in this turn
            took.append(gone)

        assert timedelta(seconds=10) <= took[0] <= timedelta(seconds=11)
        assert timedelta(seconds=20) <= took[1] <= timedelta(seconds=21)


@played
async def test_a_stateful_pod_comes_back_under_its_name_as_another_pod() -> None:
    async with small(DB) as cluster:
        look = Look(cluster)
        before = look.direct.get("pods", "db-0", namespace="default")

        look.direct.evict("db-0", namespace="default")
        await asyncio.sleep(10)

        after = look.direct.get("pods", "db-0", namespace="default")
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after["status"]["phase"] == "Running"


@played
async def test_a_daemon_returns_to_its_node_although_it_is_cordoned() -> None:
    async with small(LOGS) as cluster:
        look = Look(cluster)
        (before,) = look.running("logs", "general-1")
        look.cordon("general-1")

        look.direct.evict(before, namespace="default")
        await asyncio.sleep(10)

        (after,) = look.running("logs", "general-1")
        assert after != before


@played
async def test_a_daemon_runs_on_a_replaced_node() -> None:
    async with small(LOGS) as cluster:
        look = Look(cluster)

        look.direct.delete("machines.simulator.nodemend.dev", "general-1")
        await asyncio.sleep(60)

        assert len(look.running("logs", "general-1")) == 1


@played
async def test_nothing_is_placed_on_a_cordoned_or_tainted_node() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        taint = {"key": "nodemend.dev/repair", "effect": "NoSchedule"}
        look.cordon("general-1")
        look.direct.merge("nodes", "general-2", {"spec": {"taints": [taint]}})
        await asyncio.sleep(1)

        for pod in look.running("web"):
            await until(lambda: len(look.running("web")) == 4)
            look.direct.delete("pods", pod, namespace="default")
        await asyncio.sleep(10)

        assert len(look.running("web", "general-3")) == 4


@played
async def test_a_pod_waits_until_a_node_takes_it() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        for name in ("general-1", "general-2", "general-3"):
            look.cordon(name)
        (victim, *_) = look.running("web")

        look.direct.evict(victim, namespace="default")
        await asyncio.sleep(60)
        (waiting,) = [pod for pod in look.pods("web") if pod["status"]["phase"] == "Pending"]
        assert (wire.condition(waiting, "PodScheduled") or {})["reason"] == "Unschedulable"
        look.direct.merge("nodes", "general-2", {"spec": {"unschedulable": None}})
        await asyncio.sleep(10)

        assert len(look.running("web")) == 4


@played
async def test_pods_with_gpus_go_where_gpus_are_free() -> None:
    train = Workload(name="train", kind=WorkloadKind.JOB, replicas=4, gpus=4)
    async with small(train, nodes=1, gpus=8) as cluster:
        look = Look(cluster)
        await asyncio.sleep(10)

        assert len(look.running("train")) == 2


@played
async def test_a_job_ends_and_makes_no_more_pods() -> None:
    batch = Workload(name="batch", kind=WorkloadKind.JOB, replicas=2, runs_for=timedelta(minutes=5))
    async with small(batch) as cluster:
        look = Look(cluster)
        await asyncio.sleep(400)

        assert [pod["status"]["phase"] for pod in look.pods("batch")] == ["Succeeded"] * 2
        job = look.direct.get("jobs.batch", "batch", namespace="default")
        assert job["status"]["succeeded"] == 2


@played
async def test_a_bare_pod_that_goes_is_gone() -> None:
    async with small(Workload(name="solo", kind=WorkloadKind.BARE)) as cluster:
        look = Look(cluster)

        look.direct.evict("solo", namespace="default")
        await asyncio.sleep(60)

        assert look.pods("solo") == []


@played
async def test_deployments_say_how_many_pods_are_ready() -> None:
    async with small(WEB) as cluster:
        look = Look(cluster)
        await asyncio.sleep(1)

        status = look.direct.get("deployments.apps", "web", namespace="default")["status"]
        assert (status["replicas"], status["readyReplicas"]) == (4, 4)
