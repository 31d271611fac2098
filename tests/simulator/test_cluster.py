"""A whole cluster: the same beginning has the same history, in any process, and over HTTP too."""

import asyncio
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth.health import NODE_HEALTHS
from nodehealth.kit import clocks
from nodehealth.kube.connect import connect
from nodehealth.kube.objects import NODES, PODS
from simulator import virtualtime
from simulator.api.store import Change
from simulator.census import NodeFacts
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.faults.disk_full import DiskFull
from simulator.observer import Broken, Limits
from simulator.scenario import Budget, Injection, Pool, Scenario, Targets, Workload, WorkloadKind
from simulator.timings import Timings
from simulator.virtualtime import played
from tests.simulator.small_clusters import MACHINES, Look, small

WEB = Workload(name="web", replicas=5, budget=Budget(max_unavailable=1))
TWICE_FULL = Injection(
    name="disk-full", fault=DiskFull(), targets=Targets(at=timedelta(seconds=10), count=2)
)


def history(seed: int) -> str:
    """Play ten minutes of trouble and return a digest of everything that was ever written."""
    plan = Scenario(
        pools=(Pool(name="general", nodes=7),), workloads=(WEB,), faults=(TWICE_FULL,), seed=seed
    )
    digest = hashlib.sha256()

    def write(change: Change) -> None:
        digest.update(f"{change.happened} {change.at}".encode() + change.new.body)

    async def play() -> None:
        async with Cluster(plan, clock=virtualtime.clock()) as cluster:
            cluster.api.on_commit(write)
            look = Look(cluster)
            await asyncio.sleep(100)
            cluster.inject("general-3", "kubelet-dead")
            await asyncio.sleep(400)
            look.direct.delete(MACHINES, "general-3")
            await asyncio.sleep(100)

    virtualtime.run(play())
    return digest.hexdigest()


def test_the_same_seed_has_the_same_history_and_another_has_another() -> None:
    assert history(1) == history(1)
    assert history(1) != history(2)


def test_the_same_seed_has_the_same_history_in_another_process() -> None:
    script = f"from {__name__} import history; print(history(1))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert digests == {f"{history(1)}\n"}


@played
async def test_faults_of_the_scenario_befall_as_many_nodes_as_it_says() -> None:
    plan = Scenario(pools=(Pool(name="general", nodes=5),), faults=(TWICE_FULL,))
    async with Cluster(plan, clock=virtualtime.clock()) as cluster:
        look = Look(cluster)
        await asyncio.sleep(9)
        assert not any(cluster.ailments.of(name) for name in cluster.places)
        await asyncio.sleep(5)

        full = [name for name in cluster.places if look.free(name) == 0]
        assert len(full) == 2


@played
async def test_agents_speak_as_their_pods_and_refresh_what_they_say() -> None:
    async with small() as cluster:
        users: list[tuple[str, str]] = []
        cluster.api.on_request(lambda entry: users.append((entry.user, entry.name)))
        look, before = Look(cluster), cluster.api.world.clock()
        await asyncio.sleep(600)

        health = await cluster.client("test").get(NODE_HEALTHS, "general-1")
        (written,) = health.metadata.managed_fields
        account = "system:serviceaccount:nodemend:nodemend-agent"
        assert (account, "general-1") in users
        assert (written.manager, written.subresource) == ("nodemend-agent", "status")
        assert written.time is not None
        assert written.time - before > timedelta(minutes=4)
        node = look.node("general-1")
        assert health.status.node_uid == node["metadata"]["uid"]
        assert health.metadata.owner_references[0].uid == node["metadata"]["uid"]


@played
async def test_a_silent_agent_writes_nothing_more() -> None:
    async with small() as cluster:
        cluster.inject("general-1", "agent-silent")
        cluster.inject("general-1", "disk-full")
        await asyncio.sleep(1000)

        assert Look(cluster).free("general-1") >= 0.5


@played
async def test_an_agent_counts_each_xid_once() -> None:
    async with small(gpus=8) as cluster:
        client = cluster.client("test")
        for _ in range(2):
            cluster.inject("general-1", {"xid": {"code": 79, "gpu": 3}})
        await asyncio.sleep(700)

        (event,) = (await client.get(NODE_HEALTHS, "general-1")).status.events
        assert (event.name, event.fields["code"]) == ("gpu.xid", 79)
        assert event.subject.startswith("GPU-3-")
        assert event.count == 2


@played
async def test_the_observer_watches_what_the_remediator_does() -> None:
    async with small(WEB, limits=Limits(cluster=1)) as cluster:
        client = cluster.client("nodemend-remediator", token=REMEDIATOR_TOKEN)
        (pod, *_) = (await client.listing(PODS, namespace="default")).items
        name = pod.metadata.name

        await client.evict(name, namespace="default", uid=pod.metadata.uid)

        (violation,) = cluster.observer.violations
        assert violation.broken is Broken.EVICTED_UNCORDONED
        assert violation.nodes == (pod.spec.node_name,)
        assert cluster.observer.within("cluster") == (pod.spec.node_name,)


@played
async def test_what_is_inserted_at_once_is_what_the_api_server_would_have_stored() -> None:
    solo = Workload(name="solo", kind=WorkloadKind.BARE)
    async with small(solo, WEB, gpus=1) as cluster:
        look = Look(cluster)
        for pod in look.pods():
            metadata = pod["metadata"]
            kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
            again = {"name": "again", "namespace": "nodemend", **kept}
            made = look.direct.create("pods", {"metadata": again, "spec": pod["spec"]})

            assert made["spec"] == pod["spec"]
            assert made["status"]["qosClass"] == pod["status"]["qosClass"]
            look.direct.delete(
                "pods", "again", namespace="nodemend", options={"gracePeriodSeconds": 0}
            )


@played
async def test_a_failure_in_the_world_ends_the_cluster() -> None:
    def trip(_old: NodeFacts | None, _new: NodeFacts | None) -> None:
        raise ArithmeticError("the world is broken")

    async def live() -> None:
        async with small() as cluster:
            cluster.census.on_nodes(trip)
            cluster.inject("general-1", "kubelet-dead")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        await live()

    assert failed.group_contains(ArithmeticError, match="the world is broken")


async def test_a_cluster_is_served_in_real_time_over_http(tmp_path: Path) -> None:
    quick = Timings(terminate=timedelta(0), provision=timedelta(0), join=timedelta(seconds=0.1))
    plan = Scenario(pools=(Pool(name="general", nodes=2),), workloads=(WEB,), timings=quick)
    async with Cluster(plan, clock=clocks.wall) as cluster, cluster.serve(tmp_path) as served:
        async with connect(served.remediator, manager="nodemend-remediator") as client:
            node, back = await client.get(NODES, "general-1"), asyncio.Event()

            def saw(_old: NodeFacts | None, new: NodeFacts | None) -> None:
                if new is not None and new.uid != node.metadata.uid and new.ready == "True":
                    back.set()

            cluster.census.on_nodes(saw)
            Look(cluster).direct.delete(MACHINES, "general-1")
            async with asyncio.timeout(10):
                await back.wait()
            again = await client.get(NODES, "general-1")
        path = tmp_path / "agent.kubeconfig"
        await cluster.agent_kubeconfig(path, served.url, "general-2")
        async with connect(path, manager="nodemend-agent") as agent:
            await agent.get(NODE_HEALTHS, "general-2")

    assert again.spec.provider_id != node.spec.provider_id
