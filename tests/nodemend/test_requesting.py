"""Which repairs of a bad rule can be undone, and what a person hears when nobody answers."""

import asyncio
from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.repair import (
    NODE_REPAIRS,
    Intent,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Wish,
)
from nodemend import requesting
from simulator import virtualtime
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.scenario import Pool, Scenario
from tests.builders import NOON, repair


def drained(name: str, **more: Intent) -> NodeRepair:
    status = NodeRepairStatus(phase=Phase.DRAINING, rung_since=NOON, tried=(0,))
    return repair(name, status=structs.replace(status, **more))


REPLACED = NodeRepairStatus(phase=Phase.REPAIRING, rung=1, rung_since=NOON, tried=(0, 1))
ORDER = Intent(action="replace", key="k", issued_at=NOON)


def test_what_has_begun_a_remedy_is_left_alone_with_the_reason() -> None:
    replaced, ordered = repair("n2", status=REPLACED), drained("n3", intent=ORDER)

    undone, kept = requesting.releasable((drained("n1"), replaced, ordered), "disk-full", "")

    assert [each.spec.target.node for each in undone] == ["n1"]
    assert [why for _, why in kept] == ["replace has begun", "replace has begun"]


@pytest.mark.parametrize(
    "other",
    [
        repair("n2", phase=Phase.RECOVERED),
        repair("n2", phase=Phase.PARKED),
        repair("n2", mode=Mode.OBSERVE),
        repair("n2", pool="another"),
    ],
)
def test_what_holds_nothing_or_is_of_another_pool_is_not_spoken_of(other: NodeRepair) -> None:
    assert requesting.releasable((other,), "disk-full", "default") == ([], [])
    assert requesting.releasable((drained("n1"),), "another-rule", "") == ([], [])


def test_a_repair_that_a_rule_joined_goes_on_without_it() -> None:
    fault = Joined(rule="bad", mode=Mode.ENFORCE, since=NOON)
    watched = structs.replace(fault, mode=Mode.OBSERVE)
    acts, watches = (
        repair(name, status=NodeRepairStatus(phase=Phase.DRAINING, faults=(each,)))
        for name, each in (("n1", fault), ("n2", watched))
    )

    assert requesting.releasable((acts, watches), "bad", "") == ([], [])
    assert requesting.droppable((acts, watches), "bad", "") == [acts]
    assert requesting.droppable((acts,), "bad", "another") == []
    assert requesting.rules((acts, watches), "") == ["bad", "disk-full"]


@virtualtime.played
async def test_when_nobody_answers_the_person_is_told_that_the_request_stays() -> None:
    plan = Scenario(pools=(Pool(name="w", nodes=1),))
    async with Cluster(plan, clock=virtualtime.clock()) as cluster:
        client: Client = cluster.client(keys.GROUP)
        made = await client.create(NODE_REPAIRS, repair("w-1"))
        asked = await requesting.request(client, made, Wish.RELEASE, "ann", "")
        twice = await requesting.request(client, asked[0], Wish.RELEASE, "eve", "")
        (outcome,) = await requesting.awaited(client, [asked], timedelta(seconds=5))

    assert twice == asked
    assert not outcome.done
    assert outcome.says.startswith("no remediator has answered yet; what was asked for stays")


@virtualtime.played
async def test_who_waits_no_longer_is_told_that_the_request_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = Scenario(pools=(Pool(name="w", nodes=1),))
    async with Cluster(plan, clock=virtualtime.clock()) as cluster:
        client: Client = cluster.client(keys.GROUP)
        made = await client.create(NODE_REPAIRS, repair("w-1"))
        asked = await requesting.request(client, made, Wish.RELEASE, "ann", "")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await requesting.awaited(client, [asked])

    assert "Waits no longer; what was asked for stays" in capsys.readouterr().err


@virtualtime.played
async def test_an_approval_that_nobody_takes_in_is_awaited_for_a_while_only() -> None:
    waits = NodeRepairStatus(phase=Phase.WAITING, reason="NotApproved")
    plan = Scenario(pools=(Pool(name="w", nodes=1),))
    async with Cluster(plan, clock=virtualtime.clock()) as cluster:
        client = cluster.client("test")
        made = await client.create(NODE_REPAIRS, repair("w-1"))
        remediator = cluster.client("test", token=REMEDIATOR_TOKEN)
        written = structs.replace(made, status=waits)
        name = made.metadata.name
        held = await remediator.replace(NODE_REPAIRS, written, name=name, subresource="status")
        approved = await requesting.approve(client, held, "ann")
        seen = await requesting.let_go(client, approved, timedelta(seconds=5))

    assert seen.spec.approved is not None
    assert seen.status.reason == "NotApproved"
