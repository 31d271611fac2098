"""Who leaves first, who is left to finish, and what is written down of them."""

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import PODS, AttachedVolume, NodeStatus
from remediator.actions import Done, Failed
from remediator.actions.drain import Drain, OnDeadline
from tests.builders import at, node
from tests.remediator.actions.draining import (
    Crashed,
    MakeWorld,
    begun,
    begun_anew,
    budget,
    evicted,
    gone,
    leaves,
    obstacles,
    pod,
    said,
    silent,
)

CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
WAITS = Drain(deadline=timedelta(minutes=20), wait_completed=timedelta(minutes=10))


async def test_jobs_are_left_to_finish_within_the_bound_and_then_a_person_decides(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "train", owner="Job", spec={"restartPolicy": "Never"})

    waits = await drain.run(after=1, drain=WAITS)
    over = await drain.run(after=600, drain=WAITS)
    last = await drain.run(after=1200, drain=WAITS)

    assert said(waits) == "1 pod left to finish until 12:10, such as default/train"
    assert said(over) == (
        "1 pod held, default/train because it runs to completion and did not finish in time"
    )
    assert isinstance(last, Failed)
    assert obstacles(drain) == [("Pod/default/train", "Job/web")]
    assert drain.sent.evictions() == 0


async def test_jobs_that_did_not_finish_in_time_are_evicted_where_the_rule_says_so(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    evicts = replace(WAITS, on_deadline=OnDeadline.EVICT)
    await pod(here.client, "train", owner="Job", spec={"restartPolicy": "Never"})

    await drain.run(after=599, drain=evicts)
    before = await leaves(here.client, "train")
    await drain.run(after=600, drain=evicts)

    assert (before, await leaves(here.client, "train")) == (False, True)


async def test_jobs_that_finish_let_the_drain_end(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "train", owner="Job", spec={"restartPolicy": "Never"})

    await drain.run(after=1, drain=WAITS)
    finished = {"status": {"phase": "Succeeded"}}
    await here.client.merge_patch(
        PODS, "train", finished, namespace="default", subresource="status"
    )
    await drain.run(after=60, drain=WAITS)
    last = await drain.run(after=62, drain=WAITS)

    assert last == Done(message="0 pods left the node")


async def test_pods_that_autoscalers_must_leave_alone_are_waited_for(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "head", meta={"annotations": {keys.SAFE_TO_EVICT: "false"}})
    await pod(here.client, "notebook", meta={"annotations": {keys.DO_NOT_DISRUPT: "true"}})

    waits = await drain.run(after=1)

    assert said(waits) == "2 pods left to finish, such as default/head"


async def test_where_the_kubelet_is_gone_nobody_is_left_to_finish(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = silent()
    await pod(here.client, "train", owner="Job", spec={"restartPolicy": "Never"})
    await pod(here.client, "head", meta={"annotations": {keys.SAFE_TO_EVICT: "false"}})

    hopes = await drain.run(after=119, drain=WAITS)
    given_up = await drain.run(after=120, drain=WAITS)

    assert said(hopes) == "2 pods left to finish until 12:10, such as default/head"
    assert said(given_up) == "2 pods leaving"


async def test_critical_pods_leave_last(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    await pod(here.client, "web-1")
    await pod(here.client, "dns", spec={"priority": 2_000_000_000})

    drain.node = node("n1")
    first = await drain.run(after=1)
    early = await leaves(here.client, "dns")
    await gone(here.client, "web-1")
    await drain.run(after=3)

    assert said(first) == "1 pod leaving; 1 pod to follow"
    assert (early, await leaves(here.client, "dns")) == (False, True)


async def test_pods_with_volumes_leave_one_by_one(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = node("n1")
    await pod(here.client, "db-0", spec=CLAIM)
    await pod(here.client, "db-1", spec=CLAIM)

    await drain.run(after=1)
    first = evicted(drain)
    await gone(here.client, "db-0")
    status = NodeStatus(
        conditions=drain.node.status.conditions,
        volumes_attached=(AttachedVolume(name="a"), AttachedVolume(name="b")),
    )
    drain.node = structs.replace(drain.node, status=status)
    await drain.run(after=5)
    attached = evicted(drain)
    await drain.run(after=151)

    assert (first, attached, evicted(drain)) == (["db-0"], ["db-0"], ["db-0", "db-1"])


async def test_a_pod_with_volumes_that_may_not_leave_does_not_hold_the_others(
    world: MakeWorld,
) -> None:
    here = await world()
    drain = await begun(here)
    drain.node = node("n1")
    await pod(here.client, "db-0", spec=CLAIM)
    await pod(here.client, "db-1", spec=CLAIM, app="other")
    await budget(here.client, "web")

    await drain.run(after=1)

    assert evicted(drain) == ["db-1"]


async def test_whose_work_it_was_is_written_down(world: MakeWorld) -> None:
    here = await world()
    drain = await begun(here)
    labels = {"app": "web", "ray.io/cluster": "r", "team": "vision"}
    await pod(here.client, "worker", meta={"labels": labels})

    await drain.run(after=1)

    (record,) = drain.record.repair.status.evictions
    assert (record.gang, record.team, record.gone_by) == ("ray/r", "vision", at(31))


@pytest.mark.parametrize("crash", range(14))
async def test_a_crash_between_any_two_requests_loses_and_repeats_nothing(
    world: MakeWorld, crash: int
) -> None:
    here = await world()
    drain = await begun(here)
    pods = [f"web-{number}" for number in range(4)]
    for each in pods:
        await pod(here.client, each)

    drain.sent.crash_at = crash
    with contextlib.suppress(Crashed):
        await drain.run(after=1)
    another = await begun_anew(drain)
    await another.run(after=2)
    record = another.record.repair.status.evictions

    assert sorted(each.name for each in record) == pods
    assert drain.sent.evictions() + another.sent.evictions() <= len(pods) + 1
    assert all([await leaves(here.client, each) for each in pods])


@pytest.mark.parametrize(
    ("waits", "then"),
    [(3600, OnDeadline.HOLD), (0, OnDeadline.EVICT), (1800, OnDeadline.EVICT)],
)
def test_bounds_that_contradict_each_other_are_refused(waits: int, then: OnDeadline) -> None:
    with pytest.raises(ValueError, match="waitCompleted"):
        Drain(wait_completed=timedelta(seconds=waits), on_deadline=then)
