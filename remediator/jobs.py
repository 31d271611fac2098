"""Runs Jobs of the operator's own on nodes: what `decide.jobs` says is done here."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from nodehealth import keys
from nodehealth.kube import errors, patches
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Object, Resource
from nodehealth.repair import Intent, NodeRepair
from remediator import bodies, envoys
from remediator.decide import jobs, repairpods
from remediator.decide.envoys import GiveUp, Outcome, Wait
from remediator.decide.jobs import JOBS, Claimed, Job, Look, Task
from remediator.decide.repairpods import REPAIR_PODS
from remediator.envoys import Dispatch


class JobTemplate(Object, frozen=True, kw_only=True):
    """What an operator wants to have run: the Pod of it, whatever is in it."""

    template: Mapping[str, Any] = msgspec.field(default_factory=dict)


JOB_TEMPLATES: Final = Resource(
    group="",
    version="v1",
    plural="podtemplates",
    kind="PodTemplate",
    namespaced=True,
    type=JobTemplate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner(Dispatch[Job]):
    """What runs a Job for one repair, in the namespace where its template is.

    Fields:
        task: What is to be run.
    """

    resource: Resource[Job] = JOBS
    task: Task

    async def advance(self, since: datetime, claimed: Claimed | None) -> Outcome:
        """Take one step, and say where the Job stands.

        Args:
            since: Since when it is wanted.
            claimed: Which Job may run.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
            remediator.actions.SupersededError: it is not ours to do.
        """
        try:
            step = jobs.next_step(await self._look(since, claimed))
        except errors.ForbiddenError as refused:
            if claimed is not None:
                raise
            return self.unmade(str(refused))
        return await self.take(step)

    async def call_off(self) -> bool:
        """See to it that no request to let the Job run comes late, and say whether none came yet.

        Such a request tests the version of the Job, so another version is enough.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it may have happened.
        """
        job = await self._find()
        if job is None or not job.spec.suspend:
            return False
        return await _called_off(self.client, job, self.clock())

    async def body(self) -> dict[str, Any]:
        """Return a suspended Job made of its template."""
        template, where = self.task.template, self.namespace
        found = await self.client.get(JOB_TEMPLATES, template, namespace=where)
        return bodies.job(self.task, self.repair, found.template)

    def unmade(self, refused: str) -> GiveUp:
        """Give up: what the operator has not prepared can't be run."""
        return GiveUp(message=f"{self.task.what} was not begun: {refused}")

    async def let_go(self, envoy: Job) -> Wait:
        """Let a Job run."""
        return await self._suspend(envoy, "its Job is let run", suspend=False)

    async def call_back(self, envoy: Job, message: str) -> Wait:
        """Suspend a Job, which ends its Pods."""
        return await self._suspend(envoy, message, suspend=True)

    async def _look(self, since: datetime, claimed: Claimed | None) -> Look:
        job, said = await self._find(), ""
        if job is not None and job.status.conditions:
            labels = f"batch.kubernetes.io/job-name={job.metadata.name}"
            pods = await self.client.listing(REPAIR_PODS, namespace=self.namespace, labels=labels)
            said = jobs.last_words(pods.items)
        return Look(
            task=self.task,
            repair=self.repair,
            node=self.node,
            job=job,
            claimed=claimed,
            since=since,
            said=said,
            now=self.clock(),
        )

    async def _find(self) -> Job | None:
        name = bodies.job_name(self.repair, self.task)
        return await envoys.find(self.client, JOBS, name, namespace=self.namespace)

    async def _suspend(self, job: Job, message: str, *, suspend: bool) -> Wait:
        """Let a Job run, or stop it, if it still is the one that is meant."""
        with contextlib.suppress(errors.TestFailedError, errors.GoneError):
            change = patches.add("/spec/suspend", suspend)
            await envoys.change(self.client, JOBS, job, change)
        return Wait(message=message)


async def is_settled(
    client: Client, name: str, intent: Intent, *, namespace: str, now: datetime
) -> bool:
    """Say whether nothing runs of a claimed Job any more, and nothing ever will.

    The Pods of a Job that has ended, or is gone, run on where the node can't be reached.

    Args:
        client: The door to the API server.
        name: What the Job is called.
        intent: The claim.
        namespace: Where it is.
        now: The present time.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is asked again later.
    """
    job = await envoys.find(client, JOBS, name, namespace=namespace)
    open_ = job if jobs.may_run(job, intent.pod) else None
    if open_ is not None and not open_.spec.suspend:
        return False
    labels = f"batch.kubernetes.io/controller-uid={intent.pod}"
    pods = await client.listing(REPAIR_PODS, namespace=namespace, labels=labels)
    if any(map(repairpods.may_run, pods.items)):
        return False
    return open_ is None or await _called_off(client, open_, now)


async def lingering(client: Client, repair: NodeRepair, *, namespace: str) -> str:
    """Name a Pod of one of a repair's Jobs that may still run, whatever became of the Job.

    Args:
        client: The door to the API server.
        repair: Whose Jobs they are.
        namespace: Where they are.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is asked again later.
    """
    labels = f"{keys.REPAIR_LABEL}={repair.metadata.uid}"
    pods = await client.listing(REPAIR_PODS, namespace=namespace, labels=labels)
    running = (f"Pod {each.metadata.name}" for each in pods.items if repairpods.may_run(each))
    return next(running, "")


async def _called_off(client: Client, job: Job, now: datetime) -> bool:
    try:
        await envoys.called_off(client, JOBS, job, now)
    except (errors.TestFailedError, errors.GoneError):
        return False
    return True
