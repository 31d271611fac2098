"""Whose work ends with a pod: its gang, by the marks of those who make pods, and its team."""

from collections.abc import Iterator
from typing import Final

from nodehealth.kube.objects import Pod

_LONGEST_LABEL: Final = 63
_JOINED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("jobset", ("jobset.sigs.k8s.io/jobset-name",)),
    ("lws", ("leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index")),
    ("training", ("training.kubeflow.org/job-name",)),
    ("ray", ("ray.io/cluster", "ray.io/worker-group-replica-name")),
    ("ray", ("ray.io/cluster",)),
    ("spark", ("spark-app-selector",)),
    ("volcano", ("scheduling.k8s.io/group-name",)),
    ("volcano", ("scheduling.volcano.sh/group-name",)),
    ("volcano", ("volcano.sh/job-name",)),
    ("coscheduling", ("scheduling.x-k8s.io/pod-group",)),
    ("yunikorn", ("yunikorn.apache.org/app-id",)),
    ("kueue", ("kueue.x-k8s.io/pod-group-name",)),
    ("kueue", ("kueue.x-k8s.io/workload",)),
    ("job", ("batch.kubernetes.io/job-name",)),
    ("job", ("job-name",)),
)
"""By which labels or annotations a system tells its gangs apart; the first that fits counts."""
_QUEUES: Final = (
    "kueue.x-k8s.io/local-queue-name",
    "kueue.x-k8s.io/queue-name",
    "volcano.sh/queue-name",
    "yunikorn.apache.org/queue",
)
"""What stands for a team where no label names one: who pays for the pod's place."""


def of(pod: Pod) -> str:
    """Name the gang of a pod as `system/name`, or say nothing where it stands alone."""
    return next(_named(pod), "")[:253]


def team(pod: Pod, label: str) -> str:
    """Name whose pod it is, by the policy's label or else by its queue."""
    marks = {**pod.metadata.annotations, **pod.metadata.labels}
    named = (marks[each] for each in (label, *_QUEUES) if marks.get(each))
    return next(named, "")[:_LONGEST_LABEL]


def _named(pod: Pod) -> Iterator[str]:
    group = pod.spec.scheduling_group
    if group is not None and group.pod_group_name:
        yield f"podgroup/{group.pod_group_name}"
    marks = {**pod.metadata.annotations, **pod.metadata.labels}
    for system, names in _JOINED:
        if all(marks.get(each) for each in names):
            yield "/".join((system, *(marks[each] for each in names)))
