"""Runs Jobs of the operator's own on nodes: what `decide.jobs` says is done here."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from nodehealth.kube import errors, patches
from nodehealth.kube.objects import Object, Resource
from remediator import bodies, envoys
from remediator.decide import jobs
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
        name, where = bodies.job_name(self.repair, self.task), self.namespace
        job = await envoys.find(self.client, JOBS, name, namespace=where)
        said = ""
        if job is not None and job.status.conditions:
            labels = f"batch.kubernetes.io/job-name={name}"
            pods = await self.client.listing(REPAIR_PODS, namespace=where, labels=labels)
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

    async def _suspend(self, job: Job, message: str, *, suspend: bool) -> Wait:
        """Let a Job run, or stop it, if it still is the one that is meant."""
        changes = [
            patches.test("/metadata/uid", job.metadata.uid),
            patches.test("/metadata/resourceVersion", job.metadata.resource_version),
            patches.add("/spec/suspend", suspend),
        ]
        with contextlib.suppress(errors.TestFailedError, errors.GoneError):
            await self.client.json_patch(JOBS, job.metadata.name, changes, namespace=self.namespace)
        return Wait(message=message)
