"""A Job of the operator's own is made suspended, claimed, and let run on one node."""

from functools import partial
from typing import Any

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube import errors, patches
from remediator import bodies, jobs
from remediator.actions import Done, Failed, Going, SupersededError
from remediator.actions.run_job import Purpose, RunJob
from remediator.decide.jobs import JOBS
from remediator.rules.policy import JOBS_NAMESPACE
from simulator import virtualtime
from tests.remediator.sending import Sending, sending

LADDER = ("drain", "run-job")
FIX = RunJob(template="fix")
SPEC = {
    "nodeName": "elsewhere",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "restartPolicy": "OnFailure",
    "containers": [{"name": "fix", "image": "registry.example/fix:1", "env": [{"name": "A"}]}],
}


async def prepared() -> Sending:
    here = await sending(*LADDER)
    here.direct.create("namespaces", {"metadata": {"name": JOBS_NAMESPACE}})
    template = {"metadata": {"labels": {"app": "fix"}}, "spec": SPEC}
    value = {"metadata": {"name": "fix"}, "template": template}
    here.direct.create("podtemplates", value, namespace=JOBS_NAMESPACE)
    return here


async def under_way() -> Sending:
    here = await prepared()
    await here.runs(FIX, times=2)
    return here


def made(here: Sending) -> list[dict[str, Any]]:
    return list(here.direct.listed("jobs.batch", namespace=JOBS_NAMESPACE))


def end(here: Sending, kind: str, reason: str = "") -> None:
    (job,) = made(here)
    status = {"conditions": [{"type": kind, "status": "True", "reason": reason}]}
    here.direct.merge(
        "jobs.batch",
        job["metadata"]["name"],
        {"status": status},
        namespace=JOBS_NAMESPACE,
        subresource="status",
    )


@virtualtime.played
async def test_a_job_is_made_that_does_nothing_before_it_is_claimed() -> None:
    here = await prepared()

    await here.run(FIX)

    (job,) = made(here)
    assert job["spec"]["suspend"] is True
    assert here.record.repair.status.intent is None


@virtualtime.played
async def test_the_claimed_job_and_no_other_is_let_run() -> None:
    here = await under_way()

    (job,), intent = made(here), here.record.repair.status.intent
    assert job["spec"]["suspend"] is False
    assert intent is not None
    assert (intent.action, intent.pod) == ("run-job", job["metadata"]["uid"])


@virtualtime.played
async def test_the_job_is_the_template_on_this_node_once_and_for_so_long() -> None:
    here = await under_way()

    (job,) = made(here)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    meta = here.record.repair.metadata
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    assert "nodeName" not in pod
    assert "nodeSelector" not in pod
    assert pod["restartPolicy"] == "Never"
    assert {each["key"] for each in pod["tolerations"]} == {
        "gpu",
        keys.REPAIR_TAINT,
        "node.kubernetes.io/unschedulable",
    }
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 1800)
    assert spec["ttlSecondsAfterFinished"] == 86400
    assert job["metadata"]["ownerReferences"][0]["uid"] == meta.uid
    assert {each["name"] for each in pod["containers"][0]["env"]} == {
        "A",
        "NODEMEND_NODE",
        "NODEMEND_REPAIR",
        "NODEMEND_RULE",
    }


@virtualtime.played
async def test_doing_it_again_makes_no_second_job() -> None:
    here = await under_way()

    waits = await here.runs(FIX, times=3, after=30)

    assert isinstance(waits, Going)
    assert len(made(here)) == 1


@virtualtime.played
async def test_it_is_done_when_the_job_passed_and_its_pods_last_words_are_told() -> None:
    here = await under_way()
    (job,) = made(here)
    labels = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
    spec = {"containers": SPEC["containers"]}
    value = {"metadata": {"name": "fix-1", "labels": labels}, "spec": spec}
    here.direct.create("pods", value, namespace=JOBS_NAMESPACE)
    state = {"terminated": {"exitCode": 0, "message": "12 rows remapped"}}
    status = {"containerStatuses": [{"name": "fix", "state": state}]}
    here.direct.merge(
        "pods", "fix-1", {"status": status}, namespace=JOBS_NAMESPACE, subresource="status"
    )
    end(here, "Complete")

    assert await here.run(FIX, after=20) == Done(message="the Job of fix passed: 12 rows remapped")


@virtualtime.played
async def test_a_job_that_failed_leads_to_the_next_rung() -> None:
    here = await under_way()
    end(here, "Failed", "DeadlineExceeded")

    assert await here.run(FIX, after=20) == Failed(
        message="the Job of fix failed (DeadlineExceeded)"
    )


@virtualtime.played
async def test_a_diagnosis_that_passed_leads_to_the_next_rung_too() -> None:
    here = await under_way()
    end(here, "Complete")

    said = await here.run(RunJob(template="fix", purpose=Purpose.DIAGNOSIS), after=20)

    assert said == Failed(message="the Job of fix passed; it is a diagnosis, and mends nothing")


@virtualtime.played
async def test_a_template_that_is_not_there_fails_at_once() -> None:
    here = await prepared()

    said = await here.run(RunJob(template="other"))

    assert isinstance(said, Failed)
    assert 'podtemplates "other" not found' in said.message


@virtualtime.played
async def test_a_job_of_the_name_that_is_somebody_elses_is_left_alone() -> None:
    here = await prepared()
    named = {"name": bodies.job_name(here.record.repair, FIX.task()), "labels": {}}
    spec = {"suspend": True, "template": {"spec": SPEC}}
    here.direct.create("jobs.batch", {"metadata": named, "spec": spec}, namespace=JOBS_NAMESPACE)

    said = await here.run(FIX)

    assert isinstance(said, Failed)
    assert "somebody else" in said.message
    assert made(here)[0]["spec"]["suspend"] is True


@virtualtime.played
async def test_who_is_superseded_lets_nothing_run() -> None:
    here = await prepared()
    await here.run(FIX)
    here.superseded = True

    with pytest.raises(SupersededError):
        await here.run(FIX)

    assert made(here)[0]["spec"]["suspend"] is True


@virtualtime.played
async def test_what_was_claimed_and_is_held_back_is_let_run_later() -> None:
    here = await prepared()
    await here.run(FIX)
    here.held_back = True

    with pytest.raises(SupersededError):
        await here.run(FIX)
    held, (idle,) = here.record.repair.status.intent, made(here)
    here.held_back = False
    await here.run(FIX)
    (job,), intent = made(here), here.record.repair.status.intent

    assert held is None
    assert idle["spec"]["suspend"] is True
    assert job["spec"]["suspend"] is False
    assert intent is not None
    assert (intent.pod, intent.attempt) == (job["metadata"]["uid"], 1)


async def let_run(here: Sending, job: dict[str, Any]) -> None:
    """Have a request arrive that lets a Job run which somebody read before."""
    meta = job["metadata"]
    changes = [
        patches.test("/metadata/uid", meta["uid"]),
        patches.test("/metadata/resourceVersion", meta["resourceVersion"]),
        patches.add("/spec/suspend", value=False),
    ]
    await here.client.json_patch(JOBS, meta["name"], changes, namespace=JOBS_NAMESPACE)


@virtualtime.played
async def test_what_is_held_back_is_not_let_run_by_a_request_that_was_on_its_way() -> None:
    here = await prepared()
    await here.run(FIX)
    (job,) = made(here)
    here.held_back = True
    with pytest.raises(SupersededError):
        await here.run(FIX)

    with pytest.raises(errors.TestFailedError):
        await let_run(here, job)

    assert here.record.repair.status.intent is None


@virtualtime.played
async def test_what_was_let_run_meanwhile_stays_claimed() -> None:
    here = await prepared()
    await here.run(FIX)
    (job,) = made(here)
    here.held_back = True
    here.before_guard = partial(let_run, here, job)

    with pytest.raises(SupersededError):
        await here.run(FIX)

    intent = here.record.repair.status.intent
    assert intent is not None
    assert intent.pod == job["metadata"]["uid"]


@virtualtime.played
async def test_what_was_let_run_right_before_it_is_called_off_stays_claimed() -> None:
    here = await prepared()
    await here.run(FIX)
    (job,) = made(here)
    here.held_back = True

    async def later() -> None:
        here.meanwhile["PATCH"] = partial(let_run, here, job)

    here.before_guard = later
    with pytest.raises(SupersededError):
        await here.run(FIX)

    assert here.record.repair.status.intent is not None


@virtualtime.played
async def test_what_was_claimed_and_not_let_run_is_let_run_by_whoever_comes_next() -> None:
    here = await prepared()
    await here.run(FIX)
    here.superseded = True
    with pytest.raises(SupersededError):
        await here.run(FIX)
    here.superseded = False

    await here.run(FIX)

    assert made(here)[0]["spec"]["suspend"] is False


@virtualtime.played
async def test_a_job_that_nobody_ends_is_suspended() -> None:
    here = await under_way()

    await here.run(FIX, after=36 * 60)

    assert made(here)[0]["spec"]["suspend"] is True
    assert await here.run(FIX, after=36 * 60 + 5) == Failed(
        message="the Job of fix did not end within 30m"
    )


@virtualtime.played
async def test_for_another_machine_under_the_name_nothing_is_made() -> None:
    here = await prepared()
    repair = here.record.repair
    target = structs.replace(repair.spec.target, node_uid="uid-other")
    here.record.repair = structs.replace(repair, spec=structs.replace(repair.spec, target=target))

    assert await here.run(FIX) == Done(message="the node is another machine now")
    assert made(here) == []


async def settled(here: Sending) -> bool:
    intent = here.record.repair.status.intent
    assert intent is not None
    name = bodies.job_name(here.record.repair, FIX.task())
    where = JOBS_NAMESPACE
    return await jobs.is_settled(here.client, name, intent, namespace=where, now=here.now)


def leave_a_pod(here: Sending, job: dict[str, Any]) -> None:
    """Have a Pod of a Job be on the node, which nobody can reach."""
    labels = {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    spec = {"nodeName": "n1", "containers": SPEC["containers"]}
    value = {"metadata": {"name": "fix-1", "labels": labels}, "spec": spec}
    here.direct.create("pods", value, namespace=JOBS_NAMESPACE)
    here.direct.delete("pods", "fix-1", namespace=JOBS_NAMESPACE)


@virtualtime.played
async def test_a_job_that_runs_is_not_settled_before_it_ended() -> None:
    here = await under_way()
    before = await settled(here)
    end(here, "Complete")

    assert not before
    assert await settled(here)


@pytest.mark.parametrize("is_gone", [False, True], ids=["failed", "deleted"])
@virtualtime.played
async def test_a_job_is_not_settled_while_a_pod_of_it_may_run(
    is_gone: bool,  # noqa: FBT001 - pytest
) -> None:
    here = await under_way()
    (job,) = made(here)
    leave_a_pod(here, job)
    end(here, "Failed", "DeadlineExceeded")
    if is_gone:
        here.direct.delete("jobs.batch", job["metadata"]["name"], namespace=JOBS_NAMESPACE)

    before = await settled(here)
    options = {"gracePeriodSeconds": 0}
    here.direct.delete("pods", "fix-1", namespace=JOBS_NAMESPACE, options=options)

    assert not before
    assert await settled(here)


@virtualtime.played
async def test_a_suspended_job_is_settled_once_no_late_request_lets_it_run() -> None:
    here = await under_way()
    await here.run(FIX, after=36 * 60)
    (job,) = made(here)
    here.meanwhile["PATCH"] = partial(let_run, here, job)

    assert not await settled(here)
    await here.run(FIX, after=36 * 60)
    (job,) = made(here)
    assert await settled(here)
    with pytest.raises(errors.TestFailedError):
        await let_run(here, job)
