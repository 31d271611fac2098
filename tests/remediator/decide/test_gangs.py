"""Gangs and teams are told by the marks that schedulers and frameworks leave on pods."""

from collections.abc import Mapping

import pytest
from msgspec import structs

from nodehealth.kube.objects import SchedulingGroup
from remediator.decide import gangs
from tests.builders import pod


@pytest.mark.parametrize(
    ("labels", "gang"),
    [
        ({}, ""),
        ({"jobset.sigs.k8s.io/jobset-name": "train", "job-name": "train-0"}, "jobset/train"),
        (
            {
                "leaderworkerset.sigs.k8s.io/name": "llm",
                "leaderworkerset.sigs.k8s.io/group-index": "3",
            },
            "lws/llm/3",
        ),
        ({"leaderworkerset.sigs.k8s.io/name": "llm"}, ""),
        ({"training.kubeflow.org/job-name": "mpi"}, "training/mpi"),
        ({"ray.io/cluster": "r"}, "ray/r"),
        ({"ray.io/cluster": "r", "ray.io/worker-group-replica-name": "g-1"}, "ray/r/g-1"),
        ({"spark-app-selector": "spark-1"}, "spark/spark-1"),
        ({"volcano.sh/job-name": "v"}, "volcano/v"),
        ({"scheduling.x-k8s.io/pod-group": "g"}, "coscheduling/g"),
        ({"yunikorn.apache.org/app-id": "y"}, "yunikorn/y"),
        ({"kueue.x-k8s.io/pod-group-name": "k"}, "kueue/k"),
        ({"batch.kubernetes.io/job-name": "j"}, "job/j"),
        ({"job-name": "old"}, "job/old"),
    ],
)
def test_the_first_system_that_knows_the_pod_names_its_gang(
    labels: Mapping[str, str], gang: str
) -> None:
    assert gangs.of(pod(labels=labels)) == gang


def test_annotations_count_too() -> None:
    assert gangs.of(pod(annotations={"scheduling.k8s.io/group-name": "pg"})) == "volcano/pg"


def test_the_group_that_kubernetes_itself_schedules_comes_first() -> None:
    plain = pod(labels={"job-name": "j"})
    group = SchedulingGroup(pod_group_name="pg")

    grouped = structs.replace(plain, spec=structs.replace(plain.spec, scheduling_group=group))
    alone = structs.replace(
        plain, spec=structs.replace(plain.spec, scheduling_group=SchedulingGroup())
    )

    assert (gangs.of(grouped), gangs.of(alone)) == ("podgroup/pg", "job/j")


def test_a_team_is_named_by_the_policys_label_or_else_by_the_queue() -> None:
    queued = {"kueue.x-k8s.io/queue-name": "research"}

    assert gangs.team(pod(labels={"team": "vision", **queued}), "team") == "vision"
    assert gangs.team(pod(labels=queued), "team") == "research"
    assert gangs.team(pod(labels=queued), "") == "research"
    assert gangs.team(pod(), "team") == ""
