"""A whole repair goes through the doors of the server: from a report to a node that is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.events import EVENTS
from nodehealth.kube.objects import NODES, PODS, Resource
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, Phase
from remediator.files import Loaded, remedy
from remediator.replica import Replica
from remediator.rules import compile as compiling
from remediator.rules import documents
from remediator.rules.breaking import NEVER
from remediator.rules.policy import DrainManners, Limit, Policy, Pool
from tests.contract.cluster import LABEL, Cluster
from tests.contract.corner import Cornered
from tests.contract.standing import Machine, Owner

RULE: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: critical
  when: {signal: disk.free_ratio, where: 'value < 0.02 && subject == "/scratch"', for: 1s}
  clears: {quiet: 1s}
  verify: 1s
  ladder: [drain: {deadline: 2m}, replace: {patience: 2m, again: 1s, retry: 30s}]
"""
ALL: Final = Limit(cordoned=("100%",), disrupted=("100%",))
"""What others have out of service in a cluster that was lent is not ours to wait for."""
PATIENCE: Final = 120
"""Seconds, on a machine that has much else to do."""
WAY: Final = [
    Phase.CORDONED,
    Phase.DRAINING,
    Phase.REPAIRING,
    Phase.VERIFYING,
    Phase.RECOVERED,
]


def files(cluster: Cluster, owner: Owner) -> Loaded:
    document = documents.parse("full.yaml", RULE)
    manners = DrainManners(settle=timedelta(seconds=1), again=timedelta(seconds=1))
    policy = Policy(
        mode=Mode.ENFORCE,
        limit=ALL,
        pools=(Pool(name="contract", labels={LABEL: cluster.prefix}, limit=ALL),),
        drain=manners,
        breaking=NEVER,
    )
    rules = compiling.rule_set([compiling.rule(document, remedy)], [RULE])
    return Loaded(rules=rules, policy=policy, provider=owner)


@asynccontextmanager
async def remediator(cluster: Cluster, owner: Owner, group: str) -> AsyncIterator[None]:
    """Let a remediator run in our corner of the cluster, beside whoever is behind the Node."""
    way = Cornered(inner=cluster.client.transport, group=group, namespace=cluster.namespace)
    client, random = Client(way, manager=keys.REMEDIATOR_MANAGER, random=Random(1)), Random(2)
    one = Replica(files(cluster, owner), client=client, clock=clocks.wall, random=random)
    try:
        async with asyncio.TaskGroup() as tasks:
            works = (*(each.run() for each in one.reflectors), one.lead(), owner.machine.run())
            running = [tasks.create_task(each) for each in works]
            yield
            for task in running:
                task.cancel()
    finally:
        await tidy(cluster)


async def tidy(cluster: Cluster) -> None:
    """Have what was told of our Node and its repair go with them: it lies where all can read it."""
    for each in (await cluster.client.listing(EVENTS, namespace="default")).items:
        if each.involved_object.name.startswith(cluster.prefix):
            cluster.expect(EVENTS, each.metadata.name, namespace="default")


async def repaired(cluster: Cluster, repairs: Resource[NodeRepair]) -> NodeRepair:
    """Wait until the one repair is over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await cluster.client.listing(repairs)).items
            for each in found:
                if each.status.phase is Phase.RECOVERED:
                    return each
            await asyncio.sleep(cluster.pace.poll)


@pytest.mark.timeout(300)
async def test_a_sick_node_is_drained_replaced_verified_and_given_back(cluster: Cluster) -> None:
    """docs/limits.md and docs/drain.md, our own promise: all of it through the server's doors."""
    healths, repairs = await cluster.custom(NODE_HEALTHS), await cluster.custom(NODE_REPAIRS)
    ledgers = await cluster.custom(REPAIR_LEDGERS)
    machine = Machine(cluster=cluster, healths=healths, labels={LABEL: cluster.prefix})
    await machine.join()
    sick = machine.node
    await cluster.create(healths, machine.name)
    marks = {keys.DRAIN: "evict"}  # it has no controller
    pod = await cluster.pod("web", sick, labels={"app": "web"}, annotations=marks)
    await cluster.budget("web", "web", allowed=1, minAvailable=0)

    async with remediator(cluster, Owner(machine=machine), healths.group):
        repair = await repaired(cluster, repairs)

    node = await cluster.client.get(NODES, machine.name)
    ledger = await cluster.client.get(ledgers, keys.LEDGER_NAME)
    passed = [each.phase for each in repair.status.timeline]
    assert repair.status.reason == "Repaired"
    assert [each for each in passed if each in WAY] == WAY
    assert [each.name for each in repair.status.evictions] == [pod.metadata.name]
    with pytest.raises(errors.GoneError):
        await cluster.client.get(PODS, pod.metadata.name, namespace=cluster.namespace)
    assert node.metadata.uid != sick.metadata.uid
    assert not node.spec.unschedulable
    assert keys.REPAIR_TAINT not in {each.key for each in node.spec.taints}
    assert (ledger.status.slots, ledger.status.cordons) == ({}, {})
