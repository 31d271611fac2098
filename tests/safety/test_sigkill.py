"""The real program, killed in the middle of a repair, is carried on with by its next start."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairStatus, Phase
from simulator import scenario
from simulator.api.audit import AuditEntry
from simulator.cluster import Cluster
from simulator.observer import Limits

PATIENCE: Final = 60
"""Seconds, on a machine that has much else to do."""
POLICY: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  limits: {cordoned: 1, disrupted: 1}
  pools: [{name: w, labels: {nodemend.dev/pool: w}, limits: {cordoned: 1, disrupted: 1}}]
  drain: {settle: 1s, again: 300ms}
  provider: simulator
"""
RULE: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  runbook: docs/runbooks/scratch-full.md
  severity: critical
  when: {signal: disk.free_ratio, where: value < 0.02, for: 100ms}
  clears: {quiet: 200ms}
  verify: 1s
  ladder: [drain: {deadline: 2m}, replace: {patience: 2m, again: 300ms, retry: 30s}]
"""
PLAN: Final = {
    "pools": [{"name": "w", "nodes": 3}],
    "workloads": [{"name": "web", "replicas": 9, "grace": 10, "stops-after": "1500ms"}],
    "timings": {
        "provision": "1s",
        "terminate": "1s",
        "join": "300ms",
        "probe": "100ms",
        "pod-start": "200ms",
    },
}


@asynccontextmanager
async def remediator(
    config: Path, rules: Path, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program, and kill it at the end if nobody did."""
    command = (sys.executable, "-m", "nodemend", "remediator", "--identity", "r")
    options = ("--kubeconfig", str(config), "--rules", str(rules))
    started = await asyncio.create_subprocess_exec(*command, *options, *more, env={**os.environ})
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def until(client: Client, wanted: Callable[[NodeRepairStatus], bool]) -> NodeRepair:
    """Wait until the one repair is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for repair in (await client.listing(NODE_REPAIRS)).items:
                if wanted(repair.status):
                    return repair
            await asyncio.sleep(0.02)


def pods_leave(status: NodeRepairStatus) -> bool:
    return bool(status.evictions) and status.phase is Phase.DRAINING


def machine_is_ordered(status: NodeRepairStatus) -> bool:
    return status.intent is not None


def is_over(status: NodeRepairStatus) -> bool:
    return status.phase is Phase.RECOVERED


@pytest.mark.timeout(180)
async def test_a_program_killed_twice_in_a_repair_does_nothing_twice(tmp_path: Path) -> None:
    rules, log = tmp_path / "rules", list[AuditEntry]()
    rules.mkdir()
    (rules / "policy.yaml").write_text(POLICY)
    (rules / "full.yaml").write_text(RULE)
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": PLAN}
    plan = scenario.read(document, "story")
    cluster = Cluster(plan, clock=clocks.wall, limits=Limits(cluster=1, pools={"w": 1}))
    async with cluster, cluster.serve(tmp_path) as served:
        cluster.api.on_request(log.append)
        client = cluster.client("test")
        cluster.inject("w-1", {"disk-full": {"mount": "/scratch"}})
        for moment in (pods_leave, machine_is_ordered):
            async with remediator(served.remediator, rules) as program:
                await until(client, moment)
                program.send_signal(signal.SIGKILL)
        async with remediator(served.remediator, rules):
            repair = await until(client, is_over)
        node = await client.get(NODES, "w-1")

    ours = [each for each in log if each.user == keys.REMEDIATOR_USER and each.code < 300]
    evicted = [each.name for each in ours if each.subresource == "eviction"]
    deleted = [each.resource for each in ours if each.method == "DELETE"]
    assert cluster.observer.violations == []
    assert not node.spec.unschedulable
    assert len(evicted) == len(set(evicted)) == len(repair.status.evictions) == 3
    assert deleted == ["machines.simulator.nodemend.dev"]
