"""What people say to repairs, as processes against a cluster whose remediator is at work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, NodeRepairStatus, Phase, Wish
from remediator.files import Loaded
from remediator.replica import Replica
from remediator.rules.approvals import Approval
from remediator.rules.policy import Policy
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.scenario import Pool, Scenario
from tests.builders import repair as made
from tests.nodemend.test_asking import Desk
from tests.safety.stage import PROVIDER, RULES, policy

ASKING = replace(policy(), mode=Mode.ENFORCE, approvals=(Approval(),))
HASTY = replace(
    RULES,
    rules=tuple(
        replace(each, questions=tuple(replace(q, lasts=q.lasts * 0) for q in each.questions))
        for each in RULES.rules
        if each.name == "scratch-full"
    ),
)
HASTY = replace(HASTY, by_name={each.name: each for each in HASTY.rules})


@asynccontextmanager
async def leading(cluster: Cluster, under: Policy) -> AsyncIterator[None]:
    client = cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
    files = Loaded(rules=HASTY, policy=under, provider=PROVIDER)
    one = Replica(files, client=client, clock=clocks.wall, random=Random(1))
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(each.run()) for each in one.reflectors]
    tasks.append(asyncio.create_task(one.lead()))
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Serve a cluster of four nodes, on two of which a repair waits for a person's word."""
    plan = Scenario(pools=(Pool(name="w", nodes=4),))
    cluster = Cluster(plan, clock=clocks.wall)
    async with cluster, cluster.serve(tmp_path) as served, leading(cluster, ASKING):
        desk = Desk(cluster=cluster, kubeconfig=served.admin)
        for name in ("w-1", "w-2"):
            cluster.inject(name, {"disk-full": {"mount": "/scratch"}})
        await waits(desk, "w-1", "NotApproved")
        await waits(desk, "w-2", "NotApproved")
        yield desk


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[Desk]:
    """Serve a cluster with a repair that is open and one that is over, and no remediator."""
    cluster = Cluster(Scenario(pools=(Pool(name="w", nodes=1),)), clock=clocks.wall)
    async with cluster, cluster.serve(tmp_path) as served:
        await cluster.client("test").create(NODE_REPAIRS, made("w-1"))
        ended = await cluster.client("test").create(NODE_REPAIRS, made("w-2"))
        over = structs.replace(ended, status=NodeRepairStatus(phase=Phase.RECOVERED))
        remediator = cluster.client("test", token=REMEDIATOR_TOKEN)
        name = ended.metadata.name
        await remediator.replace(NODE_REPAIRS, over, name=name, subresource="status")
        yield Desk(cluster=cluster, kubeconfig=served.admin)


async def test_without_a_remediator_a_request_stays_and_is_not_awaited_if_nobody_wants_that(
    quiet: Desk,
) -> None:
    answer = await quiet.run("repairs", "release", "w-1", "--no-wait", "--by", "ann")
    found = await repair(quiet, "w-1")

    assert (answer.code, answer.out) == (0, "Asked; `nodemend repairs` shows what comes of it.\n")
    assert found is not None
    assert found.spec.request is not None
    assert (found.spec.request.what, found.spec.request.by) == (Wish.RELEASE, "ann")


async def test_a_repair_that_asks_once_more_is_approved_once_more(quiet: Desk) -> None:
    client = quiet.cluster.client("test", token=REMEDIATOR_TOKEN)
    await quiet.run("repairs", "approve", "w-1", "--no-wait", "--by", "ann")
    before = await repair(quiet, "w-1")
    assert before is not None
    status = NodeRepairStatus(phase=Phase.DRAINING, reason="NotApproved")
    asks = structs.replace(before, status=status)
    await client.replace(NODE_REPAIRS, asks, name=before.metadata.name, subresource="status")
    answer = await quiet.run("repairs", "approve", "w-1", "--no-wait", "--by", "eve")
    found = await repair(quiet, "w-1")

    assert "is approved, by eve" in answer.out
    assert found is not None
    assert found.spec.approved is not None
    assert found.spec.approved.by == "eve"


async def repair(desk: Desk, node: str) -> NodeRepair | None:
    found = (await desk.cluster.client("test").listing(NODE_REPAIRS)).items
    return next((each for each in found if each.spec.target.node == node), None)


async def waits(desk: Desk, node: str, reason: str) -> NodeRepair:
    async with asyncio.timeout(20):
        while True:
            found = await repair(desk, node)
            if found is not None and found.status.reason == reason:
                return found
            await asyncio.sleep(0.1)


async def test_a_person_approves_a_repair_by_the_name_of_its_node(desk: Desk) -> None:
    answer = await desk.run("repairs", "approve", "w-1", "--by", "ann")
    again = await desk.run("repairs", "approve", "w-1", "--by", "eve")
    found = await repair(desk, "w-1")

    assert found is not None
    assert answer.out.startswith(f"{found.metadata.name} is approved, by ann; it is ")
    assert "NotApproved" not in answer.out
    assert again.out.startswith(f"{found.metadata.name} is approved already, by ann; it is ")
    assert (answer.code, again.code) == (0, 0)


async def test_a_repair_is_cancelled_and_its_node_given_back_when_the_command_returns(
    desk: Desk,
) -> None:
    name = (await waits(desk, "w-1", "NotApproved")).metadata.name
    answer = await desk.run("repairs", "cancel", name, "--by", "ann", "--reason", "a test")
    found = await repair(desk, "w-1")

    assert answer.code == 0
    assert answer.out.startswith(f"{name}: cancelled as ann (a test) wants; its fault is left")
    assert found is not None
    assert (found.status.phase, found.status.reason) == (Phase.PARKED, "Cancelled")


async def test_what_is_refused_is_said_and_exits_with_1(desk: Desk) -> None:
    answer = await desk.run("repairs", "retry", "w-1")

    assert answer.code == 1
    assert "not done: it is Waiting: nothing has come to its end" in answer.out


async def test_a_bad_rule_is_undone_in_bulk(desk: Desk) -> None:
    seen = await desk.run("repairs", "release", "--rule", "scratch-full", "--dry-run")
    misspelt = await desk.run("repairs", "release", "--rule", "scratch-ful", "--dry-run")
    silent = await desk.run("repairs", "release", "--rule", "scratch-full")
    answer = await desk.run("repairs", "release", "--rule", "scratch-full", "--yes")
    found = [await repair(desk, each) for each in ("w-1", "w-2")]
    again = await desk.run("repairs", "release", "--rule", "scratch-full", "--yes")

    assert (seen.code, seen.out.count("is given back: w-")) == (0, 2)
    assert misspelt.out == "No open repair is of rule scratch-ful; there are of scratch-full.\n"
    assert silent.code == 2
    assert "say --yes if it is" in silent.complaint
    assert answer.code == 0
    assert [each.status.phase for each in found if each is not None] == [Phase.PARKED] * 2
    assert again.out == "No open repair is of rule scratch-full.\n"


async def test_a_parked_repair_is_retried(desk: Desk) -> None:
    await desk.run("repairs", "release", "w-1")
    await waits(desk, "w-1", "Released")
    answer = await desk.run("repairs", "retry", "w-1", "--by", "ann")

    assert (answer.code, answer.out.partition(": ")[2]) == (0, "begins anew, as ann wants.\n")
    await waits(desk, "w-1", "NotApproved")


async def test_status_says_who_waits_for_a_persons_word(desk: Desk) -> None:
    answer = await desk.run("status")
    listed = await desk.run("repairs", "w-1")

    assert "! w-1 needs a person: asks a person before" in answer.out.replace("\n", " ")
    assert "NotApproved" in listed.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("approve", "w-11"), "there is no repair of a node or of the name w-11; nearest are w-1"),
        (("cancel", "w-2"), "no repair of w-2 is open: w-2-repair is over (Recovered)"),
        (("release",), "expected a repair or its node, or --rule, got neither"),
        (("release", "w-1", "--rule", "x"), "or --rule, got both"),
        (
            ("aprove", "w-1"),
            "there is no command aprove; known are",
        ),
        (("approve", ""), "expected a name, got nothing"),
        (("release", "w-1", "--yes"), "--pool, --dry-run and --yes are for --rule"),
    ],
)
async def test_what_can_not_be_meant_is_refused(
    quiet: Desk, words: tuple[str, ...], complaint: str
) -> None:
    answer = await quiet.run("repairs", *words)

    assert answer.code == 2
    assert complaint in answer.complaint
