"""The corner cases that drains of Kubernetes are known for, one test each."""

from datetime import timedelta

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube.objects import PODS
from remediator.actions import Done, Going
from remediator.actions.drain import Drain
from simulator.api.faults import Match, Refuse
from tests.builders import NOON
from tests.remediator.actions.draining import (
    MakeWorld,
    begun,
    budget,
    evicted,
    gone,
    leaves,
    obstacles,
    pod,
    said,
    silent,
)

PDB = "PodDisruptionBudget/default/web"


async def test_kubelet_dead_what_was_evicted_and_never_goes_is_no_drained_node(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "web-1")

    for after in (1, 60, 85):
        passed = await drain.run(after=after)

    assert passed == Going(message="1 pod leaving", again=timedelta(seconds=2))


async def test_finalizers_a_pod_whose_containers_ended_is_gone_and_its_finalizers_are_named(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1", meta={"finalizers": ["example.com/keep"]})
    patient, since = Drain(deadline=timedelta(days=9999)), (clocks.wall() - NOON).total_seconds()
    await drain.run(after=since, drain=patient)
    running = await drain.run(after=since + 3600, drain=patient)
    late = "default/web-1 is late: not all of it ended, and finalizers keep it (example.com/keep)"
    ended = {"containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 0}}}]}
    await here.client.merge_patch(
        PODS, "web-1", {"status": ended}, namespace="default", subresource="status"
    )

    await drain.run(after=since + 3601, drain=patient)
    last = await drain.run(after=since + 3603, drain=patient)

    assert said(running) == f"1 pod leaving; {late}"
    assert last == Done(
        message="1 pod left the node; only example.com/keep keeps the record of default/web-1"
    )


async def test_static_pods_and_daemons_are_skipped(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    mirrored = {"annotations": {keys.MIRROR_POD_ANNOTATION: "x"}}
    await pod(here.client, "static", owner="", meta=mirrored)
    await pod(here.client, "daemon", owner="DaemonSet")

    await drain.run(after=1)

    assert said(await drain.run(after=5)) == "0 pods left the node"


async def test_unreplicated_a_person_is_told_at_once_and_may_say_yes(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "alone", owner="")
    held = await drain.run(after=1)
    stayed = await leaves(here.client, "alone")

    allowed = {"metadata": {"annotations": {keys.DRAIN: "evict"}}}
    await here.client.merge_patch(PODS, "alone", allowed, namespace="default")
    await drain.run(after=3)

    assert said(held) == "1 pod held, default/alone because no controller would bring it back"
    assert obstacles(drain) == [("Pod/default/alone", "")]
    assert (stayed, await leaves(here.client, "alone")) == (False, True)


async def test_local_data_a_pod_that_is_marked_is_not_evicted(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "cache", meta={"annotations": {keys.DRAIN: "block"}})

    held = await drain.run(after=1)

    assert said(held) == f"1 pod held, default/cache because it is marked {keys.DRAIN}=block"
    assert not await leaves(here.client, "cache")


async def test_finished_jobs_are_not_evicted_over_and_over(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "done", owner="Job", status={"phase": "Succeeded"})

    await drain.run(after=1)
    last = await drain.run(after=5)

    assert (said(last), drain.sent.evictions()) == ("0 pods left the node", 0)


async def test_a_budget_set_wrongly_is_named_with_its_owner_and_what_to_change(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1", meta={"labels": {"app": "web", "pod-template-hash": "7d9f"}})
    await budget(here.client, "web")

    await drain.run(after=1)

    assert obstacles(drain) == [(PDB, "ReplicaSet/web")]
    (found,) = drain.record.repair.status.obstacles
    assert found.advice == (
        "default/web-1 may not leave because the disruption budget web (maxUnavailable: 0) never "
        "lets anybody leave (1 of 9 pods are healthy): "
        "raise maxUnavailable, or lower minAvailable"
    )


async def test_a_budget_that_changed_is_waited_for_as_long_as_the_server_asks(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web", allowed=9)
    lag = Refuse(
        match=Match(path="/eviction"), code=429, reason="TooManyRequests", retry_after=10, times=1
    )

    with here.api.faults.active(lag):
        await drain.run(after=1)
    for after in (6, 10, 11):
        await drain.run(after=after)

    assert drain.sent.evictions() == 2
    assert obstacles(drain) == []


async def test_two_budgets_are_a_mistake_and_no_failure_of_the_server(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await budget(here.client, "web")
    await budget(here.client, "all")

    blocked = await drain.run(after=1)

    assert "more than one disruption budget selects it (all and web)" in said(blocked)
    assert obstacles(drain) == [("PodDisruptionBudget/default/all+web", "ReplicaSet/web")]


async def test_unhealthy_pods_that_block_their_budget_are_told_the_policy_that_helps(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1", ready=False)
    await budget(here.client, "web", allowed=1)

    for after in (1, 6):
        blocked = await drain.run(after=after)
    before = obstacles(drain)
    await drain.run(after=16)

    assert before == []
    assert "set unhealthyPodEvictionPolicy: AlwaysAllow, or mend the pods" in said(blocked)
    assert obstacles(drain) == [(PDB, "ReplicaSet/web")]


async def test_a_pod_made_anew_under_its_name_is_another_pod(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "db-0", owner="StatefulSet")

    await drain.run(after=1)
    await gone(here.client, "db-0")
    await pod(here.client, "db-0", owner="StatefulSet", spec={"nodeName": "n2"})
    await drain.run(after=6)
    last = await drain.run(after=8)

    assert isinstance(last, Done)
    assert not await leaves(here.client, "db-0")


async def test_pods_bound_after_the_first_look_are_seen(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)

    await drain.run(after=1)
    await pod(here.client, "late")
    seen = await drain.run(after=5)

    assert said(seen) == "1 pod leaving"


async def test_pods_that_tolerate_our_taint_are_not_chased(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "everywhere", spec={"tolerations": [{"operator": "Exists"}]})

    await drain.run(after=1)

    assert isinstance(await drain.run(after=5), Done)
    assert drain.sent.evictions() == 0


async def test_a_webhook_that_refuses_is_named_and_asked_slowly(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    refusal = Refuse(
        match=Match(path="/eviction"),
        code=403,
        reason="Forbidden",
        message='admission webhook "guard.example.com" denied the request: not now',
    )

    with here.api.faults.active(refusal):
        for after in (1, 30, 60):
            await drain.run(after=after)

    assert obstacles(drain) == [("Webhook/guard.example.com", "ReplicaSet/web")]
    assert drain.sent.evictions() == 1


@pytest.mark.parametrize("code", [500, 504])
async def test_a_server_in_trouble_is_asked_again(world: MakeWorld, code: int) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    trouble = Refuse(match=Match(path="/eviction"), code=code, reason="Timeout", times=1)

    with here.api.faults.active(trouble):
        blocked = await drain.run(after=1)
    await drain.run(after=6)

    assert "1 pod may not leave" in said(blocked)
    assert (evicted(drain), obstacles(drain)) == (["web-1"], [])


@pytest.mark.parametrize(("code", "reason"), [(404, "NotFound"), (409, "Conflict")])
async def test_a_pod_that_is_gone_or_another_one_needs_no_more(
    world: MakeWorld, code: int, reason: str
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    answer = Refuse(match=Match(path="/eviction"), code=code, reason=reason, times=1)

    with here.api.faults.active(answer):
        passed = await drain.run(after=1)

    assert (said(passed), evicted(drain)) == ("1 pod leaving", [])
