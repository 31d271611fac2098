"""How a Job of the operator's own goes: made suspended, claimed, run, heard out, never twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from nodehealth import keys, quantities
from nodehealth.kube.objects import Condition, Node, Object, Resource, Struct
from nodehealth.repair import NodeRepair
from remediator.decide import envoys
from remediator.decide.envoys import START_PATIENCE, Claim, GiveUp, Make, Start, Stop, Succeed, Wait
from remediator.decide.repairpods import RepairPod

RUN_JOB: Final = "run-job"
"""The remedy that runs one."""
GRACE: Final = timedelta(minutes=2)
"""How long a Job that is beyond its own deadline may take to say so, before it is stopped."""
_LONGEST: Final = 512
_TRUE: Final = "True"
_ENDS: Final = frozenset({"Complete", "Failed"})


class JobSpec(Struct, frozen=True, kw_only=True):
    """Whether a Job may run."""

    suspend: bool = False


class JobStatus(Struct, frozen=True, kw_only=True):
    """What became of a Job."""

    conditions: tuple[Condition, ...] = ()
    active: int = 0


class Job(Object, frozen=True, kw_only=True):
    """The part of a Job that matters here."""

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


JOBS: Final = Resource(
    group="batch", version="v1", plural="jobs", kind="Job", namespaced=True, type=Job
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be run."""

    template: str
    """The PodTemplate that says what."""
    deadline: timedelta
    """How long it may run."""
    what: str
    """Which of a rung's Jobs it is: its name is made of that."""

    @property
    def longest(self) -> timedelta:
        """Return after how long it has come to an end, whatever happens."""
        return START_PATIENCE + self.deadline + 2 * GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Which Job may run, and since when."""

    job: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the next step is decided by; all of it fresh."""

    task: Task
    repair: NodeRepair
    node: Node | None
    job: Job | None
    """The Job that has the name."""
    claimed: Claimed | None
    since: datetime
    """Since when it is wanted."""
    said: str
    """The last words of its Pod."""
    now: datetime


Step: TypeAlias = envoys.Step[Job]


def next_step(look: Look) -> Step:
    """Decide what comes next."""
    job, claimed = look.job, look.claimed
    if claimed is None:
        return _begin(look)
    if job is None or job.metadata.uid != claimed.job:
        return GiveUp(message=f"{look.task.what}: its Job is gone, and nobody knows how it ended")
    ended = _ended(look, job)
    if ended is not None:
        return ended
    began = min(
        claimed.at, look.since + START_PATIENCE
    )  # it is claimed anew whenever it is let run
    late = look.now - began - look.task.deadline - START_PATIENCE - GRACE
    if late < timedelta():
        return Start(envoy=job) if job.spec.suspend else Wait(message=_standing(look, job))
    message = f"{look.task.what} did not end within {quantities.spoken(look.task.deadline)}"
    if not job.spec.suspend:
        return Stop(envoy=job, message=message)
    return Wait(message=message) if job.status.active and late < GRACE else GiveUp(message=message)


def may_run(job: Job | None, uid: str) -> bool:
    """Say whether the Job that was claimed has not ended: it runs, or may yet be let run."""
    if job is None or job.metadata.uid != uid:
        return False
    return not any(each.type in _ENDS and each.status == _TRUE for each in job.status.conditions)


def last_words(pods: Iterable[RepairPod]) -> str:
    """Return what the containers of a Job's Pods said last, shortened."""
    states = (each.state.terminated for pod in pods for each in pod.status.container_statuses)
    words = (each.message.strip() or each.reason for each in states if each is not None)
    return "; ".join(filter(None, words))[:_LONGEST]


def _begin(look: Look) -> Step:
    job = look.job
    if look.now >= look.since + START_PATIENCE:
        return GiveUp(message=f"{look.task.what} was not begun: {look.repair.status.message}")
    if look.node is None:
        return Wait(message="waits for the node to come back")
    if job is None:
        return Make()
    if job.metadata.labels.get(keys.REPAIR_LABEL) != look.repair.metadata.uid:
        return GiveUp(message=f"there is a Job {job.metadata.name} of somebody else")
    if not job.spec.suspend:
        return GiveUp(message=f"somebody else started {job.metadata.name}, which nobody claimed")
    return Claim(envoy=job)


def _ended(look: Look, job: Job) -> Step | None:
    said = {each.type: each for each in job.status.conditions if each.status == _TRUE}
    words = f": {look.said}" if look.said else ""
    if "Complete" in said:
        return Succeed(message=f"{look.task.what} passed{words}")
    if "Failed" not in said:
        return None
    why = said["Failed"].reason or "Failed"
    return GiveUp(message=f"{look.task.what} failed ({why}){words}")


def _standing(look: Look, job: Job) -> str:
    runs = "runs" if job.status.active else "waits to be run"
    return f"{look.task.what} {runs}, as Job {job.metadata.name}"
