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
from remediator.files import Loaded
from remediator.replica import Replica
from simulator.cluster import Cluster
from simulator.observer import Limits
from tests.safety import stage
from tests.safety.peril import Luck, PerilousTransport
from tests.safety.quick import MANNERS, QUICK, Quick
from tests.safety.witnesses.court import Court, Terms
from tests.safety.witnesses.history import Breach

PATIENCE: Final = 240
"""Seconds, on a machine that has much else to do."""
SEEDS: Final = (1, 2)
LUCK: Final = Luck(
    lost_before=0.03,
    lost_after=0.04,
    refused=0.03,
    failed_after=0.03,
    doubled=0.03,
    dawdle=timedelta(milliseconds=40),
)


def files(tale: Quick) -> Loaded:
    """Return the rules of a tale and a policy that lose no time."""
    policy = replace(stage.policy(), drain=MANNERS, gpu_clients=tale.gpu_clients)
    return Loaded(rules=tale.rules, policy=policy, provider=stage.PROVIDER)


async def lives(client: Client, tale: Quick, seed: int) -> None:
    """Be a remediator that acts whether it leads or not."""
    random = Random(seed)
    perilous = PerilousTransport(client.transport, random=random, luck=LUCK)
    careless = Client(perilous, manager=keys.REMEDIATOR_MANAGER, random=random)
    one = Replica(files(tale), client=careless, clock=clocks.wall, random=random)
    async with asyncio.TaskGroup() as tasks:
        for each in one.reflectors:
            tasks.create_task(each.run())
        tasks.create_task(one.lead())


def over(court: Court, tale: Quick) -> bool:
    """Say whether every sick node came to its end, and nothing is held but for people."""
    ended = {Phase.RECOVERED: set[str](), Phase.NEEDS_HUMAN: set[str]()}
    for each in court.history.repairs.values():
        ended.setdefault(each.status.phase, set()).add(each.spec.target.node)
    ledger = court.history.ledger
    slots, cordons = (ledger.status.slots, ledger.status.cordons) if ledger else ({}, {})
    held = {*slots, *(cordons.keys() - tale.called)}
    mended, called = ended[Phase.RECOVERED], ended[Phase.NEEDS_HUMAN]
    return mended >= tale.mended and called >= tale.called and not held


async def played(tale: Quick, seed: int, folder: Path) -> tuple[Breach, ...]:
    """Play it to its end, and say which promises were broken."""
    limits = Limits(cluster=1, pools={"w": 1})
    async with AsyncExitStack() as stack:
        made = Cluster(tale.plan(), clock=clocks.wall, limits=limits)
        cluster = await stack.enter_async_context(made)
        court = Court.opened(cluster, Terms(most=1))
        before = {name: court.history.nodes[name].metadata.uid for name in tale.left}
        ended = asyncio.Event()
        cluster.api.on_commit(lambda _: ended.set() if over(court, tale) else None)
        served = await stack.enter_async_context(cluster.serve(folder))
        manager = keys.REMEDIATOR_MANAGER
        ways = [connect.connect(served.remediator, manager=manager) for _ in range(2)]
        clients = [await stack.enter_async_context(each) for each in ways]
        both = [asyncio.create_task(lives(each, tale, seed + n)) for n, each in enumerate(clients)]
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)

    assert {name: court.history.nodes[name].metadata.uid for name in tale.left} == before
    return court.breaches()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", QUICK)
async def test_two_remediators_keep_every_promise(name: str, tmp_path: Path) -> None:
    """Two pairs, each with a cluster of its own, at once: most of the time they wait."""
    folders = [tmp_path / str(seed) for seed in SEEDS]
    for each in folders:
        each.mkdir()

    plays = [played(QUICK[name], n, folder) for n, folder in zip(SEEDS, folders, strict=True)]
    broken = await asyncio.gather(*plays)

    assert broken == [()] * len(SEEDS)
