"""A Job is made suspended, claimed by its UID, let run once, and heard out in time."""

from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Condition, Metadata
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.decide import jobs
from remediator.decide.envoys import Claim, GiveUp, Make, Start, Stop, Succeed, Wait
from remediator.decide.jobs import Claimed, Job, JobSpec, JobStatus, Look, Step, Task
from remediator.decide.repairpods import (
    ContainerState,
    ContainerStatus,
    RepairPod,
    RepairPodStatus,
    Terminated,
)
from tests.builders import NOON, at, node, repair

TASK = Task(template="stress", deadline=timedelta(minutes=10), what="the Job of stress")
OURS = Claimed(job="uid-job", at=NOON)
LATE = 10 * 60 + 3 * 60 + 2 * 60


def one() -> NodeRepair:
    status = NodeRepairStatus(phase=Phase.REPAIRING, message="what was known last")
    made = repair("n1", status=status)
    return structs.replace(made, metadata=structs.replace(made.metadata, uid="uid-repair"))


def job(
    *,
    suspend: bool = False,
    uid: str = "uid-job",
    of: str = "uid-repair",
    active: int = 0,
    **is_: str,
) -> Job:
    labels = {keys.REPAIR_LABEL: of}
    conditions = tuple(Condition(type=each, status="True", reason=why) for each, why in is_.items())
    return Job(
        metadata=Metadata(name="nodemend-1", uid=uid, labels=labels),
        spec=JobSpec(suspend=suspend),
        status=JobStatus(conditions=conditions, active=active),
    )


def step(
    seen: Job | None,
    claimed: Claimed | None = None,
    *,
    after: float = 0,
    said: str = "",
    absent: bool = False,
) -> Step:
    look = Look(
        task=TASK,
        repair=one(),
        node=None if absent else node("n1"),
        job=seen,
        claimed=claimed,
        since=NOON,
        said=said,
        now=at(after),
    )
    return jobs.next_step(look)


def test_without_a_job_one_is_made_and_then_claimed_and_only_then_let_run() -> None:
    made = job(suspend=True)

    assert step(None) == Make()
    assert step(made) == Claim(envoy=made)
    assert step(made, OURS) == Start(envoy=made)


def test_for_a_node_that_is_away_nothing_is_made() -> None:
    assert isinstance(step(None, absent=True), Wait)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (job(suspend=True, of="uid-other"), "somebody else"),
        (job(), "which nobody claimed"),
    ],
)
def test_a_job_that_is_not_as_we_made_it_is_not_taken_for_ours(found: Job, said: str) -> None:
    given = step(found)

    assert isinstance(given, GiveUp)
    assert said in given.message


def test_what_could_not_be_begun_in_time_is_given_up_with_what_was_known() -> None:
    assert step(None, after=180) == GiveUp(
        message="the Job of stress was not begun: what was known last"
    )


@pytest.mark.parametrize("found", [None, job(uid="uid-later")])
def test_a_claimed_job_that_is_gone_proves_nothing(found: Job | None) -> None:
    given = step(found, OURS)

    assert isinstance(given, GiveUp)
    assert "gone" in given.message


def test_a_job_that_passed_is_told_in_its_own_words() -> None:
    assert step(job(Complete="CompletionsReached"), OURS, said="all 8 GPUs: 61 TFLOPS") == Succeed(
        message="the Job of stress passed: all 8 GPUs: 61 TFLOPS"
    )


def test_a_job_that_failed_says_why() -> None:
    assert step(job(Failed="DeadlineExceeded"), OURS) == GiveUp(
        message="the Job of stress failed (DeadlineExceeded)"
    )
    assert step(job(Failed=""), OURS, said="GPU 3: 12 errors") == GiveUp(
        message="the Job of stress failed (Failed): GPU 3: 12 errors"
    )


@pytest.mark.parametrize(("active", "said"), [(1, "runs"), (0, "waits to be run")])
def test_a_job_under_way_is_waited_for(active: int, said: str) -> None:
    assert step(job(active=active), OURS, after=60) == Wait(
        message=f"the Job of stress {said}, as Job nodemend-1"
    )


def test_a_job_that_nobody_ends_is_stopped_and_given_up_when_nothing_of_it_runs() -> None:
    running, stopping, stopped = job(active=1), job(suspend=True, active=1), job(suspend=True)

    assert isinstance(step(running, OURS, after=LATE), Stop)
    assert isinstance(step(stopping, OURS, after=LATE), Wait)
    assert isinstance(step(stopping, OURS, after=LATE + 120), GiveUp)
    assert step(stopped, OURS, after=LATE) == GiveUp(
        message="the Job of stress did not end within 10m"
    )


def test_it_has_come_to_an_end_after_its_longest_whatever_happens() -> None:
    ends = LATE + 120

    assert TASK.longest <= timedelta(seconds=ends)
    assert isinstance(step(job(suspend=True, active=1), OURS, after=ends), GiveUp)


def test_the_last_words_are_those_of_all_containers_shortened() -> None:
    def pod(*said: Terminated | None) -> RepairPod:
        states = tuple(ContainerStatus(state=ContainerState(terminated=each)) for each in said)
        return RepairPod(metadata=Metadata(), status=RepairPodStatus(container_statuses=states))

    words = Terminated(exit_code=1, reason="Error", message=" 12 errors\n")

    assert jobs.last_words([pod(words, None), pod(Terminated(reason="OOMKilled"))]) == (
        "12 errors; OOMKilled"
    )
    assert len(jobs.last_words([pod(Terminated(message="x" * 4096))])) == 512


def test_the_claimed_job_may_run_until_it_says_that_it_ended() -> None:
    assert jobs.may_run(job(), "uid-job")
    assert jobs.may_run(job(suspend=True), "uid-job")
    assert jobs.may_run(job(FailureTarget="DeadlineExceeded"), "uid-job")
    assert not jobs.may_run(job(Failed="DeadlineExceeded"), "uid-job")
    assert not jobs.may_run(job(Complete=""), "uid-job")
    assert not jobs.may_run(job(), "uid-other")
    assert not jobs.may_run(None, "uid-job")
