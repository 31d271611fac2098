"""Holding back and letting go, as processes against the emulator over HTTP."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.ledger import REPAIR_LEDGERS, Pause
from simulator.cluster import Cluster
from simulator.scenario import Pool, Scenario
from tests.nodemend.test_asking import Answer, Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Serve a cluster of three nodes whose remediator has begun to work."""
    plan = Scenario(pools=(Pool(name="w", nodes=3),))
    cluster = Cluster(plan, clock=clocks.wall)
    async with cluster, cluster.serve(tmp_path) as served:
        body = {"metadata": {"name": keys.LEDGER_NAME}, "spec": {}}
        await cluster.client("test").create(REPAIR_LEDGERS, body)
        yield Desk(cluster=cluster, kubeconfig=served.admin)


async def pauses(desk: Desk) -> dict[str, Pause]:
    ledger = await desk.cluster.client("test").get(REPAIR_LEDGERS, keys.LEDGER_NAME)
    return dict(ledger.spec.pauses)


async def hold(desk: Desk, *words: str) -> Answer:
    return await desk.run("pause", "net", *words)


async def test_a_pause_is_written_with_who_wants_it_and_why(desk: Desk) -> None:
    answer = await hold(desk, "--reason", "cables", "--node", "w-1")
    held = (await pauses(desk))["net"]

    assert answer.code == 0
    assert "holds node w-1: cables" in answer.out
    assert (held.reason, held.node, held.pool, held.until) == ("cables", "w-1", "", None)
    assert held.by
    assert held.at is not None


async def test_a_pause_that_is_there_may_be_given_an_end_and_another_scope(desk: Desk) -> None:
    await hold(desk, "--reason", "cables", "--node", "w-1", "--by", "ann")
    before = (await pauses(desk))["net"]
    answer = await hold(desk, "--for", "2h", "--pool", "default")
    after = (await pauses(desk))["net"]

    assert "Pause net by ann holds pool default until" in answer.out
    assert (after.reason, after.pool, after.node) == ("cables", "default", "")
    assert after.at == before.at
    assert after.until is not None
    assert timedelta(minutes=119) < after.until - clocks.wall() < timedelta(minutes=121)


async def test_the_same_pause_twice_is_one(desk: Desk) -> None:
    first = await hold(desk, "--reason", "cables")
    second = await hold(desk, "--reason", "cables")

    assert first.code == second.code == 0
    assert "It was so already." in second.out


async def test_what_is_paused_is_shown(desk: Desk) -> None:
    await hold(desk, "--reason", "cables", "--by", "ann")
    status = await desk.run("status")
    why = await desk.run("why", "w-1")

    assert "pause net by ann holds the cluster: cables" in status.out
    assert "Held back: pause net by ann holds the cluster: cables." in why.out


async def test_a_pause_is_taken_away_and_the_others_stay(desk: Desk) -> None:
    await hold(desk, "--reason", "cables")
    await desk.run("pause", "disk", "--reason", "disks")
    answer = await desk.run("resume", "net")
    again = await desk.run("resume", "net")

    assert answer.out.startswith("Taken away: pause net by ")
    assert (again.code, again.out) == (0, "There is no pause net. Still there: disk.\n")
    assert list(await pauses(desk)) == ["disk"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "expected --reason, so that whoever finds it knows why"),
        (("--reason", "x", "--node", "w1"), "there is no node w1; nearest are w-1"),
        (("--reason", "x", "--pool", "defualt"), "there is no pool defualt; nearest are default"),
        (("--reason", "x", "--node", "w-1", "--pool", "w"), "--pool or --node, got both"),
        (("--reason", "x", "--for", "1h", "--until", "2999-01-01"), "--for or --until, got both"),
        (("--reason", "x", "--for", "soon"), "--for: expected a duration such as 90s"),
        (("--reason", "x", "--for", "1ms"), "--for: expected a second at least"),
        (("--reason", "x", "--until", "noon"), "--until: expected a time such as 20"),
        (("--reason", "x", "--until", "2020-01-01"), "--until: expected a time to come"),
    ],
)
async def test_what_can_not_be_meant_is_refused(
    desk: Desk, words: tuple[str, ...], complaint: str
) -> None:
    answer = await hold(desk, *words)

    assert answer.code == 2
    assert complaint in answer.complaint
    assert await pauses(desk) == {}


async def test_without_a_ledger_nothing_is_held_back(desk: Desk) -> None:
    await desk.cluster.client("test").delete(REPAIR_LEDGERS, keys.LEDGER_NAME)

    answer = await hold(desk, "--reason", "cables")

    assert answer.code == 2
    assert "no remediator has begun to work in this cluster" in answer.complaint


async def test_status_says_it_to_scripts_too(desk: Desk) -> None:
    await hold(desk, "--reason", "cables", "--by", "ann", "--until", "2999-01-01T00:00+01:00")
    answer = await desk.run("status", "--json")

    assert json.loads(answer.out)["pauses"] == [
        "pause net by ann holds the cluster until 2998-12-31 23:00:00 UTC: cables"
    ]
