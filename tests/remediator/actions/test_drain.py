"""A drain asks, waits, says what it waits for, and gives up at its deadline."""

from datetime import timedelta

import pytest

from nodehealth.kube.objects import BUDGETS, PODS
from nodehealth.repair import NODE_REPAIRS
from remediator.actions import Done, Failed, Going, Stranded, SupersededError
from remediator.actions.drain import Drain
from simulator.api.faults import Match, Refuse
from tests.remediator.actions.draining import MakeWorld, back, begun, budget, gone, pod, silent


async def test_an_empty_node_is_drained_once_it_was_empty_twice_and_settled(
    world: MakeWorld,
) -> None:
    drain = await begun(await world())

    first = await drain.run(after=1)
    early = await drain.run(after=4)
    last = await drain.run(after=5)

    assert isinstance(first, Going)
    assert first.again == timedelta(seconds=4)
    assert isinstance(early, Going)
    assert last == Done(message="0 pods left the node")


async def test_pods_are_evicted_and_recorded_with_their_owner(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")

    asked = await drain.run(after=1)
    waiting = await drain.run(after=3)
    await gone(here.client, "web-1")
    await drain.run(after=6)
    last = await drain.run(after=8)

    assert asked == Going(message="1 pod leaving", again=timedelta(seconds=2))
    assert waiting == asked
    assert last == Done(message="1 pod left the node")
    stored = await here.client.get(NODE_REPAIRS, "n1-repair")
    assert [(each.name, each.owner) for each in stored.status.evictions] == [
        ("web-1", "ReplicaSet/web")
    ]


async def test_a_budget_that_allows_nothing_is_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    budget = {
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }
    await here.client.create(BUDGETS, budget, namespace="default")

    blocked = await drain.run(after=1)

    assert isinstance(blocked, Going)
    assert blocked.message == (
        "1 pod may not leave, default/web-1 because the disruption budget web (maxUnavailable: 0) "
        "never lets anybody leave (1 of 9 pods are healthy): "
        "raise maxUnavailable, or lower minAvailable"
    )
    assert (await here.client.get(PODS, "web-1", namespace="default")).metadata.name == "web-1"


async def test_a_pod_without_a_controller_is_not_evicted_and_is_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "alone", owner="")

    held = await drain.run(after=1)

    assert isinstance(held, Going)
    assert held.message == ("1 pod held, default/alone because no controller would bring it back")
    seen = await here.client.get(PODS, "alone", namespace="default")
    assert seen.metadata.deletion_timestamp is None


async def test_at_the_deadline_the_drain_has_failed_and_says_what_was_left(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "alone", owner="")

    late = await drain.run(after=60, drain=Drain(deadline=timedelta(minutes=1)))

    assert late == Failed(
        message="after 1m: 1 pod held, default/alone because no controller would bring it back"
    )


async def test_without_the_right_to_disrupt_nothing_is_evicted(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here, guarded=False)
    await pod(here.client, "web-1")

    with pytest.raises(SupersededError):
        await drain.run(after=1)

    seen = await here.client.get(PODS, "web-1", namespace="default")
    assert seen.metadata.deletion_timestamp is None


async def test_while_a_gang_may_not_lose_the_node_nothing_is_evicted_and_the_drain_says_why(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "train-1")
    drain.held = why = "a gang may lose one node at once; under repair: n2"

    held = await drain.run(after=1)
    asked = drain.sent.evictions()
    drain.held = ""
    await drain.run(after=3)

    assert held == Going(message=why, again=timedelta(seconds=2))
    assert (asked, drain.sent.evictions()) == (0, 1)


async def test_on_a_silent_node_pods_that_do_not_end_leave_the_drain_stranded(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "web-1")

    asked = await drain.run(after=1)
    early = await drain.run(after=119)
    late = await drain.run(after=120, drain=Drain(deadline=timedelta(minutes=2)))

    assert isinstance(asked, Going)
    assert isinstance(early, Going)
    assert isinstance(late, Stranded)
    assert late.message == "the kubelet is silent, so nothing ends what is left: 1 pod"


async def test_a_kubelet_that_came_back_as_time_was_up_may_end_its_pods(world: MakeWorld) -> None:
    here = await world()
    drain, short = await begun(here), Drain(deadline=timedelta(minutes=2))
    drain.node = back(after=110)
    await pod(here.client, "web-1")
    await drain.run(after=1)

    assert isinstance(await drain.run(after=169, drain=short), Going)
    assert isinstance(await drain.run(after=170, drain=short), Failed)

    await gone(here.client, "web-1")

    assert isinstance(await drain.run(after=169, drain=short), Going)
    assert isinstance(await drain.run(after=171, drain=short), Done)


async def test_a_kubelet_that_came_back_as_time_was_up_gives_no_time_to_who_may_not_leave(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = back(after=110)
    await pod(here.client, "alone", owner="")

    late = await drain.run(after=120, drain=Drain(deadline=timedelta(minutes=2)))

    assert isinstance(late, Failed)


async def test_a_silent_node_with_a_pod_that_may_not_leave_is_not_stranded(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "alone", owner="")

    assert isinstance(await drain.run(after=1000), Going)


@pytest.mark.parametrize(
    ("ready", "until"), [(False, Stranded), (True, Failed)], ids=["dead", "well"]
)
async def test_a_budget_holds_up_a_silent_node_at_the_deadline_only_for_pods_that_are_well(
    world: MakeWorld, *, ready: bool, until: type[Stranded | Failed]
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "web-1", ready=ready)
    await budget(here.client, "web")

    blocked = await drain.run(after=299, drain=Drain(deadline=timedelta(minutes=5)))
    late = await drain.run(after=300, drain=Drain(deadline=timedelta(minutes=5)))

    assert isinstance(blocked, Going)
    assert isinstance(late, until)


async def test_a_pod_that_a_webhook_keeps_on_a_silent_node_is_a_persons_matter(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "web-1", ready=False)
    said = 'admission webhook "guard.example.com" denied the request: not now'
    refusal = Refuse(match=Match(path="/eviction"), code=403, reason="Forbidden", message=said)

    with here.api.faults.active(refusal):
        await drain.run(after=299, drain=Drain(deadline=timedelta(minutes=5)))
    late = await drain.run(after=300, drain=Drain(deadline=timedelta(minutes=5)))

    assert isinstance(late, Failed)


async def test_a_pod_that_may_not_leave_is_left_alone_for_a_while(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    overload = Refuse(match=Match(path="/eviction"), code=429, reason="TooManyRequests", times=1)

    with here.api.faults.active(overload):
        first = await drain.run(after=1)
    soon = await drain.run(after=5)
    once = drain.sent.evictions()
    await drain.run(after=6)

    assert isinstance(first, Going)
    assert isinstance(soon, Going)
    assert (first.message, first.again) == (soon.message, timedelta(seconds=2))
    assert soon.again == timedelta(seconds=1)
    assert (once, drain.sent.evictions()) == (1, 2)


async def test_a_pod_whose_budget_has_to_be_mended_is_asked_once_a_minute(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web")

    for after in (1, 7, 60):
        await drain.run(after=after)
    asked = drain.sent.evictions()
    await drain.run(after=61)

    assert (asked, drain.sent.evictions()) == (1, 2)


async def test_a_pause_that_the_server_asks_for_is_kept(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    overload = Refuse(
        match=Match(path="/eviction"), code=429, reason="TooManyRequests", retry_after=20, times=1
    )

    with here.api.faults.active(overload):
        for seconds in (1, 5, 20):
            blocked = await drain.run(after=seconds)
    freed = await drain.run(after=21)

    assert isinstance(blocked, Going)
    assert "may not leave" in blocked.message
    assert freed == Going(message="1 pod leaving", again=timedelta(seconds=2))


async def test_budgets_that_contradict_each_other_are_named(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web")
    await budget(here.client, "all")

    blocked = await drain.run(after=1)

    assert isinstance(blocked, Going)
    assert blocked.message == (
        "1 pod may not leave, default/web-1 because more than one disruption budget selects it "
        "(all and web): its owner must leave one"
    )


async def test_what_ends_a_drain_is_read_by_quorum_and_the_rest_from_the_cache(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")

    await drain.run(after=1)
    going = drain.sent.listings()
    await gone(here.client, "web-1")
    await drain.run(after=6)

    assert going == ["0"]
    assert drain.sent.listings()[1:] == ["0", ""]
