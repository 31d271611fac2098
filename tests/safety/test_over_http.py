"""The same dangers over real HTTP and in real time: two remediators, each with a connection."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube import connect
from nodehealth.kube.client import Client
from nodehealth.repair import Phase
from remediator.files import Loaded, remedy
from remediator.replica import Replica
from remediator.rules import compile as compiling
from remediator.rules import documents
from remediator.rules.policy import DrainManners
from simulator import scenario
from simulator.cluster import Cluster
from simulator.observer import Limits
from tests.safety import stage
from tests.safety.peril import Luck, PerilousTransport
from tests.safety.test_sigkill import PLAN, RULE
from tests.safety.witnesses.court import Court, Terms
from tests.safety.witnesses.history import Breach

PATIENCE: Final = 240
"""Seconds, on a machine that has much else to do."""
SICK: Final = ("w-1", "w-2")
SEEDS: Final = (1, 2)
LUCK: Final = Luck(
    lost_before=0.03,
    lost_after=0.04,
    refused=0.03,
    failed_after=0.03,
    doubled=0.03,
    dawdle=timedelta(milliseconds=40),
)


def files() -> Loaded:
    """Return a rule and a policy that lose no time."""
    document = documents.parse("full.yaml", RULE)
    rules = compiling.rule_set([compiling.rule(document, remedy)], [RULE])
    manners = DrainManners(settle=timedelta(seconds=1), again=timedelta(milliseconds=300))
    return Loaded(
        rules=rules, policy=replace(stage.policy(), drain=manners), provider=stage.PROVIDER
    )


async def lives(client: Client, seed: int) -> None:
    """Be a remediator that acts whether it leads or not."""
    random = Random(seed)
    perilous = PerilousTransport(client.transport, random=random, luck=LUCK)
    careless = Client(perilous, manager=keys.REMEDIATOR_MANAGER, random=random)
    one = Replica(files(), client=careless, clock=clocks.wall, random=random)
    async with asyncio.TaskGroup() as tasks:
        for each in one.reflectors:
            tasks.create_task(each.run())
        tasks.create_task(one.lead())


def over(court: Court) -> bool:
    """Say whether every sick node was repaired and nothing is held any more."""
    repairs = court.history.repairs.values()
    done = {each.spec.target.node for each in repairs if each.status.phase is Phase.RECOVERED}
    ledger = court.history.ledger
    held = ledger is None or ledger.status.slots or ledger.status.cordons
    return done >= set(SICK) and not held


async def played(seed: int, folder: Path) -> tuple[Breach, ...]:
    """Play it to its end, and say which promises were broken."""
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": PLAN}
    plan, limits = scenario.read(document, "story"), Limits(cluster=1, pools={"w": 1})
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(plan, clock=clocks.wall, limits=limits))
        court = Court.opened(cluster, Terms(most=1))
        ended = asyncio.Event()
        cluster.api.on_commit(lambda _: ended.set() if over(court) else None)
        served = await stack.enter_async_context(cluster.serve(folder))
        manager = keys.REMEDIATOR_MANAGER
        ways = [connect.connect(served.remediator, manager=manager) for _ in range(2)]
        clients = [await stack.enter_async_context(each) for each in ways]
        for name in SICK:
            cluster.inject(name, {"disk-full": {"mount": "/scratch"}})
        both = [asyncio.create_task(lives(each, seed + n)) for n, each in enumerate(clients)]
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)

    return court.breaches()


@pytest.mark.timeout(300)
async def test_two_remediators_keep_every_promise(tmp_path: Path) -> None:
    """Two pairs, each with a cluster of its own, at once: most of the time they wait."""
    folders = [tmp_path / str(seed) for seed in SEEDS]
    for each in folders:
        each.mkdir()

    broken = await asyncio.gather(*map(played, SEEDS, folders))

    assert broken == [()] * len(SEEDS)
