"""Whose work ends with a pod: its gang, by the marks of those who make pods, and its team.

One row of the table for each system, those first that know the most of a pod. Where the marks don't
tell whether the others can go on without a pod, they are taken not to.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from nodehealth import keys
from nodehealth.kube.objects import Pod

ALONE: Final = "none"
"""What the owner of a pod says who knows that the others go on without it."""
LONGEST: Final = 253
"""How long the name of a gang may be."""
_LONGEST_LABEL: Final = 63
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
_JOB_NAMES: Final = ("batch.kubernetes.io/job-name", "job-name")
_BY_TOPOLOGY: Final = "kueue.x-k8s.io/tas"
"""On the pods that Kueue placed by topology: it evicts all of them when two nodes are lost."""
_OF_OWNER: Final = "podgroup-"
"""How the groups begin that Volcano makes for any owner of pods, as for a Deployment."""

Marks: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """Pods that belong together."""

    system: str
    namespace: str
    name: str
    falls: bool
    """Whether all of them may lose their work with this one."""

    @property
    def title(self) -> str:
        """Name it within its namespace, as `system/name`."""
        return f"{self.system}/{self.name}"[:LONGEST]

    @property
    def id(self) -> str:
        """Name it in the cluster, as `namespace/system/name`; no two have the same."""
        whole = f"{self.namespace}/{self.system}/{self.name}"
        if len(whole) <= LONGEST:
            return whole
        digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
        return f"{whole[: LONGEST - 17]}~{digest}"


def gang_of(pod: Pod) -> Gang | None:
    """Find the gang of a pod; nothing where it stands alone."""
    marks = {**pod.metadata.annotations, **pod.metadata.labels}
    said, found = marks.get(keys.GANG, ""), next(_known(pod, marks), None)
    if said == ALONE:
        return replace(found, falls=False) if found is not None else None
    return _gang(pod, "nodemend", said) if said else found


def of(pod: Pod) -> str:
    """Name the gang of a pod as `system/name`, or say nothing where it stands alone."""
    gang = gang_of(pod)
    return gang.title if gang is not None else ""


def at_stake(pods: Iterable[Pod]) -> frozenset[str]:
    """Return the IDs of the gangs that may lose their work when these pods are lost.

    What has finished loses nothing, and what leaves already is lost to somebody else.
    """
    running = (
        each
        for each in pods
        if each.status.phase not in _FINISHED and each.metadata.deletion_timestamp is None
    )
    found = (gang_of(each) for each in running)
    return frozenset(gang.id for gang in found if gang is not None and gang.falls)


def team(pod: Pod, label: str) -> str:
    """Name whose pod it is, by the policy's label or else by its queue."""
    marks = {**pod.metadata.annotations, **pod.metadata.labels}
    named = (marks[each] for each in (label, *_QUEUES) if marks.get(each))
    return next(named, "")[:_LONGEST_LABEL]


def _known(pod: Pod, marks: Marks) -> Iterator[Gang]:
    group = pod.spec.scheduling_group
    if group is not None and group.pod_group_name:
        yield _gang(pod, "podgroup", group.pod_group_name)
    for row in _ROWS:
        names = [marks.get(each, "") for each in row.names]
        if all(names) and row.fits(pod, marks):
            falls = marks.get(_BY_TOPOLOGY) == "true" or row.falls(pod, marks)
            yield _gang(pod, row.system, "/".join(names), falls=falls)


def _gang(pod: Pod, system: str, name: str, *, falls: bool = True) -> Gang:
    return Gang(system=system, namespace=pod.metadata.namespace, name=name, falls=falls)


def _always(pod: Pod, marks: Marks) -> bool:
    del pod, marks
    return True


def _is_no_executor(pod: Pod, marks: Marks) -> bool:
    """Spark replaces an executor that is lost, and does its part anew."""
    del pod
    return marks.get("spark-role") != "executor"


def _is_own_group(pod: Pod, marks: Marks) -> bool:
    del pod
    return not marks["scheduling.k8s.io/group-name"].startswith(_OF_OWNER)


def _is_yunikorns(pod: Pod, marks: Marks) -> bool:
    """Only there this label means what YuniKorn took it for; others may mean anything by it."""
    del marks
    return pod.spec.scheduler_name == "yunikorn"


def _is_placed_together(pod: Pod, marks: Marks) -> bool:
    """An application of YuniKorn may be all that runs in a namespace; a task group is a gang."""
    del pod
    return bool(marks.get("yunikorn.apache.org/task-group-name"))


def _is_one_of_many(pod: Pod, marks: Marks) -> bool:
    """The numbered pods of a Job with GPUs talk to each other; others mostly share out work."""
    limits = (each.resources.limits for each in pod.spec.containers)
    has_gpus = any(name in each for each in limits for name in keys.GPU_RESOURCES)
    return (has_gpus or bool(pod.spec.resource_claims)) and _INDEX in marks


def _is_no_loose_job(pod: Pod, marks: Marks) -> bool:
    return not any(map(marks.get, _JOB_NAMES)) or _is_one_of_many(pod, marks)


_Says: TypeAlias = Callable[[Pod, Marks], bool]


@dataclass(frozen=True, slots=True)
class _Row:
    system: str
    names: tuple[str, ...]
    """The labels or annotations that tell its gangs apart; a pod must have all of them."""
    falls: _Says = _always
    """Whether the others may lose their work with the pod."""
    fits: _Says = _always
    """Whether the marks mean what they seem to."""


_ROWS: Final = (
    _Row("jobset", ("jobset.sigs.k8s.io/jobset-name",)),  # of Kubeflow's TrainJobs, too
    _Row("lws", ("leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index")),
    _Row("training", ("training.kubeflow.org/job-name",)),
    _Row("ray", ("ray.io/cluster", "ray.io/worker-group-replica-name")),
    _Row("ray", ("ray.io/cluster",)),
    _Row("spark", ("spark-app-selector",), _is_no_executor),
    _Row("spark", ("sparkoperator.k8s.io/app-name",), _is_no_executor),
    _Row("volcano", ("scheduling.k8s.io/group-name",), fits=_is_own_group),
    _Row("volcano", ("scheduling.volcano.sh/group-name",)),
    _Row("volcano", ("volcano.sh/job-name",)),
    _Row("coscheduling", ("scheduling.x-k8s.io/pod-group",)),
    _Row("yunikorn", ("yunikorn.apache.org/app-id",), _is_placed_together),
    _Row("yunikorn", ("applicationId",), _is_placed_together, _is_yunikorns),
    _Row("kueue", ("kueue.x-k8s.io/pod-group-name",)),
    _Row("kueue", ("kueue.x-k8s.io/workload",), _is_no_loose_job),
    *(_Row("job", (name,), _is_one_of_many) for name in _JOB_NAMES),
)
_QUEUES: Final = (
    "kueue.x-k8s.io/local-queue-name",
    "kueue.x-k8s.io/queue-name",
    "volcano.sh/queue-name",
    "yunikorn.apache.org/queue",
)
"""What stands for a team where no label names one: who pays for the pod's place."""
