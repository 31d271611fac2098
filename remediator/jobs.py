"""Runs Jobs of the operator's own on nodes: what `decide.jobs` says is done here."""

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from nodehealth import keys
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors, patches
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Object, Resource
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.decide import jobs, rungs
from remediator.decide.errands import GiveUp, Make, Succeed, Wait
from remediator.decide.jobs import JOBS, Claim, Claimed, Job, Look, Start, Stop, Task
from remediator.decide.repairpods import REPAIR_PODS

_KEPT_SECONDS: Final = 24 * 3600
"""How long a Job that has ended stays to be looked at."""
_DIGEST_LENGTH: Final = 32
_TOLERATED: Final = (
    {"key": keys.REPAIR_TAINT, "operator": "Exists"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
)


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
class Runner:
    """What runs a Job for one repair.

    Fields:
        client: The door to the API server.
        clock: The present time.
        namespace: Where templates and Jobs are.
        node: The Node as it was just read.
        guard: Checks that the repair may do this to its node at this moment.
        claim: Writes down that the Job of this UID may run.
    """

    client: Client
    clock: Clock
    namespace: str
    node: Node | None
    guard: Callable[[], Awaitable[None]]
    claim: Callable[[str], Awaitable[None]]

    async def advance(
        self, task: Task, repair: NodeRepair, since: datetime, claimed: Claimed | None
    ) -> Wait | Succeed | GiveUp:
        """Take one step, and say where the Job stands.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
            remediator.actions.SupersededError: it is not ours to do.
        """
        try:
            step = jobs.next_step(await self._look(task, repair, since, claimed))
        except errors.ForbiddenError as refused:
            if claimed is not None:
                raise
            return GiveUp(message=f"{task.what} was not begun: {refused}")
        match step:
            case Make():
                return await self._make(task, repair)
            case Claim():
                await self.claim(step.job.metadata.uid)
                return await self._suspend(step.job, "its Job is let run", suspend=False)
            case Start():
                await self.guard()
                return await self._suspend(step.job, "its Job is let run", suspend=False)
            case Stop():
                return await self._suspend(step.job, step.message, suspend=True)
            case _:
                return step

    async def _look(
        self, task: Task, repair: NodeRepair, since: datetime, claimed: Claimed | None
    ) -> Look:
        called = name(repair, task)
        job = await self._find(called)
        said = ""
        if job is not None and job.status.conditions:
            labels = f"batch.kubernetes.io/job-name={called}"
            pods = await self.client.listing(REPAIR_PODS, namespace=self.namespace, labels=labels)
            said = jobs.last_words(pods.items)
        return Look(
            task=task,
            repair=repair,
            node=self.node,
            job=job,
            claimed=claimed,
            since=since,
            said=said,
            now=self.clock(),
        )

    async def _find(self, called: str) -> Job | None:
        try:
            return await self.client.get(JOBS, called, namespace=self.namespace)
        except errors.GoneError:
            return None

    async def _make(self, task: Task, repair: NodeRepair) -> Wait | GiveUp:
        try:
            found = await self.client.get(JOB_TEMPLATES, task.template, namespace=self.namespace)
            made = body(task, repair, found.template)
            await self.client.create(JOBS, made, namespace=self.namespace)
        except errors.ConflictError:
            return Wait(message="its Job was made already")
        except (errors.GoneError, errors.ForbiddenError, errors.InvalidError) as refused:
            return GiveUp(message=f"{task.what} was not begun: {refused}")
        return Wait(message="its Job is made")

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


def name(repair: NodeRepair, task: Task) -> str:
    """Return what a Job is called: one for each rung of each repair, and for its burn-in."""
    seed = f"{rungs.identity(repair)}|{task.what}"
    return f"nodemend-{hashlib.sha256(seed.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def body(task: Task, repair: NodeRepair, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Job that nothing comes of until it is let run: the template, on this node, once."""
    meta, target = repair.metadata, repair.spec.target.node
    labels = {keys.REPAIR_LABEL: meta.uid}
    owner = {
        "apiVersion": NODE_REPAIRS.api_version,
        "kind": NODE_REPAIRS.kind,
        "name": meta.name,
        "uid": meta.uid,
    }
    given = dict(template.get("metadata", {}))
    return {
        "metadata": {"name": name(repair, task), "labels": labels, "ownerReferences": [owner]},
        "spec": {
            "suspend": True,
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": round(task.deadline.total_seconds()),
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {**given, "labels": {**given.get("labels", {}), **labels}},
                "spec": _pinned(template.get("spec", {}), target, repair),
            },
        },
    }


def _pinned(spec: Mapping[str, Any], node: str, repair: NodeRepair) -> dict[str, Any]:
    """Return a Pod's spec for one node, whatever the template says of nodes."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    kept = {key: each for key, each in spec.items() if key not in {"nodeName", "nodeSelector"}}
    return {
        **kept,
        "restartPolicy": "Never",
        "affinity": {**spec.get("affinity", {}), **affinity},
        "tolerations": [*spec.get("tolerations", []), *_TOLERATED],
        "containers": [_told(each, repair) for each in spec.get("containers", [])],
    }


def _told(container: Mapping[str, Any], repair: NodeRepair) -> dict[str, Any]:
    """Tell a container what it is for, and have its last lines heard if it fails."""
    facts = {
        "NODEMEND_NODE": repair.spec.target.node,
        "NODEMEND_REPAIR": repair.metadata.name,
        "NODEMEND_RULE": repair.spec.rule,
    }
    env = [{"name": key, "value": value} for key, value in facts.items()]
    last = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    return {**last, **container, "env": [*container.get("env", []), *env]}
