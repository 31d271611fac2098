"""A rehearsed drain says who would leave, who keeps the node, and evicts nobody."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BUDGETS, PODS
from nodemend.looking import drainable
from nodemend.looking.drainable import Drainable, Fate, InTurns
from remediator.rules.policy import DrainManners
from simulator.api.controllers.plane import ControlPlane
from simulator.api.faults import Match, Refuse
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.builders import node
from tests.remediator.actions.draining import budget, pod
from tests.remediator.conftest import World

MANNERS = DrainManners()


async def staged() -> World:
    """Serve a cluster with one empty node."""
    api = ApiServer(clock=clocks.wall)
    world = World(api=api, client=Client(LocalTransport(api), manager="test"))
    await world.node(node("n1"))
    return world


async def rehearsed(world: World, *, waits: int = 0, name: str = "n1") -> Drainable:
    ControlPlane(world.api).settle()
    wait = timedelta(minutes=waits)
    return await drainable.rehearse(world.client, clocks.wall, name, MANNERS, wait, "the tests")


def fates(answer: Drainable) -> dict[str, Fate]:
    return {each.name: each.fate for each in answer.pods}


def drawn(answer: Drainable) -> list[str]:
    console = Console(file=io.StringIO(), width=300)
    with console.capture() as captured:
        console.print(drainable.drawn(answer))
    return [each.rstrip() for each in captured.get().splitlines()]


async def test_a_node_whose_pods_may_all_leave_can_be_drained() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    await pod(world.client, "daemon", owner="DaemonSet")

    answer = await rehearsed(world)

    assert fates(answer) == {"web-1": Fate.LEAVES, "daemon": Fate.STAYS}
    assert (answer.is_free(), answer.is_told()) == (True, True)
    assert drawn(answer)[-2:] == [
        "Pods: 1 leaves, 1 stays; by the tests.",
        "n1 can be drained now.",
    ]


async def test_nobody_is_evicted_and_no_budget_is_spent() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    await budget(world.client, "web", allowed=9)

    await rehearsed(world)

    seen = await world.client.get(PODS, "web-1", namespace="default")
    kept = await world.client.get(BUDGETS, "web", namespace="default")
    assert seen.metadata.deletion_timestamp is None
    assert (kept.status.disruptions_allowed, kept.status.disrupted_pods) == (1, {})


async def test_who_keeps_the_node_is_named_with_what_to_change() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    await pod(world.client, "alone", owner="", app="other")
    await budget(world.client, "web")

    answer = await rehearsed(world)

    (blocked,) = (each for each in answer.pods if each.fate is Fate.BLOCKED)
    assert (blocked.obstacle, blocked.owner) == (
        "PodDisruptionBudget/default/web",
        "ReplicaSet/web",
    )
    assert "raise maxUnavailable" in blocked.why
    assert fates(answer)["alone"] is Fate.HELD
    assert drawn(answer)[-1] == (
        "! n1 can't be drained now: Pod/default/alone, PodDisruptionBudget/default/web."
    )


async def test_pods_of_one_budget_leave_in_turns() -> None:
    world = await staged()
    for number in range(3):
        await pod(world.client, f"web-{number}")
    await budget(world.client, "web", allowed=7)

    answer = await rehearsed(world)

    assert answer.in_turns == (InTurns(budget="default/web", pods=3, allowed=1),)
    assert answer.is_free()


async def test_who_is_left_to_finish_keeps_the_node_for_now() -> None:
    world = await staged()
    await pod(world.client, "train", owner="Job", spec={"restartPolicy": "Never"})
    await pod(world.client, "head", meta={"annotations": {keys.SAFE_TO_EVICT: "false"}})

    now, patiently = await rehearsed(world), await rehearsed(world, waits=30)

    assert fates(now) == {"train": Fate.LEAVES, "head": Fate.WAITS}
    assert fates(patiently) == {"train": Fate.WAITS, "head": Fate.WAITS}
    assert not patiently.is_free()


@pytest.mark.parametrize(
    ("code", "reason", "fate"),
    [(404, "NotFound", Fate.LEAVING), (409, "Conflict", Fate.LEAVING), (500, "", Fate.UNKNOWN)],
)
async def test_what_the_server_answers_is_not_taken_for_a_refusal(
    code: int, reason: str, fate: Fate
) -> None:
    world = await staged()
    await pod(world.client, "web-1")

    with world.api.faults.active(Refuse(match=Match(path="/eviction"), code=code, reason=reason)):
        answer = await rehearsed(world)

    assert fates(answer) == {"web-1": fate}
    assert answer.is_told() is (fate is not Fate.UNKNOWN)
    assert ("can't be told" in drawn(answer)[-1]) is (fate is Fate.UNKNOWN)


async def test_a_webhook_that_takes_no_rehearsals_leaves_it_untold() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    refusal = Refuse(
        match=Match(path="/eviction"),
        code=400,
        reason="BadRequest",
        message='admission webhook "guard.example.com" does not support dry run',
    )

    with world.api.faults.active(refusal):
        answer = await rehearsed(world)

    assert (fates(answer), answer.is_told()) == ({"web-1": Fate.UNKNOWN}, False)


async def test_a_budget_that_has_to_recover_is_told_from_one_that_is_wrong() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    await pod(world.client, "web-2")
    await budget(world.client, "web", allowed=8)

    answer = await rehearsed(world)
    await world.client.evict("web-1", namespace="default", uid="")
    after = await rehearsed(world)

    assert set(fates(answer).values()) == {Fate.LEAVES}
    assert fates(after) == {"web-1": Fate.LEAVING, "web-2": Fate.LATER}


async def test_who_may_not_evict_is_told_so() -> None:
    world = await staged()
    await pod(world.client, "web-1")
    refusal = Refuse(
        match=Match(path="/eviction"),
        code=403,
        reason="Forbidden",
        message='pods "web-1" is forbidden: User "eve" cannot create resource "pods/eviction"',
    )

    with world.api.faults.active(refusal), pytest.raises(errors.ForbiddenError, match="eve"):
        await rehearsed(world)


async def test_a_node_that_there_is_not_is_named() -> None:
    with pytest.raises(SettingsError, match="there is no node n7; nearest are n1"):
        await rehearsed(await staged(), name="n7")
