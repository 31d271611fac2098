"""Gangs and teams are told by the marks that schedulers and frameworks leave on pods."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Pod, SchedulingGroup
from remediator.decide import gangs
from tests.builders import pod
from tests.remediator.decide.gangpods import MADE, Made

JOBSET = "jobset.sigs.k8s.io/jobset-name"


@pytest.mark.parametrize("made", [pytest.param(each, id=name) for name, each in MADE.items()])
def test_the_first_system_that_knows_a_pod_names_its_gang(made: Made) -> None:
    assert gangs.of(made.pod()) == made.gang


@pytest.mark.parametrize("made", [pytest.param(each, id=name) for name, each in MADE.items()])
def test_what_the_others_can_do_without_is_not_at_stake(made: Made) -> None:
    at_stake = {f"ml/{made.gang}"} if made.gang and made.falls else set[str]()

    assert gangs.at_stake([made.pod()]) == at_stake


def test_a_part_of_a_systems_marks_makes_no_gang() -> None:
    assert gangs.of(pod(labels={"leaderworkerset.sigs.k8s.io/name": "llm"})) == ""


def test_the_group_that_kubernetes_itself_schedules_comes_first() -> None:
    plain = pod(labels={"job-name": "j"})

    grouped = with_group(plain, SchedulingGroup(pod_group_name="pg"))
    alone = with_group(plain, SchedulingGroup())

    assert (gangs.of(grouped), gangs.of(alone)) == ("podgroup/pg", "job/j")


def test_gangs_of_one_name_in_two_namespaces_are_two() -> None:
    here = pod(labels={JOBSET: "train"})
    there = structs.replace(here, metadata=structs.replace(here.metadata, namespace="b"))

    assert gangs.at_stake([here, there]) == {"jobs/jobset/train", "b/jobset/train"}


def test_what_has_finished_or_leaves_already_is_not_at_stake() -> None:
    labels = {JOBSET: "train"}

    past = [pod(labels=labels, phase="Succeeded"), pod(labels=labels, deleted=True)]

    assert gangs.at_stake(past) == frozenset()
    assert gangs.at_stake([*past, pod(labels=labels)]) == {"jobs/jobset/train"}


def test_gangs_with_long_names_stay_two() -> None:
    annotation, long = "kueue.x-k8s.io/workload", "w" * 300

    ids = gangs.at_stake(pod(annotations={annotation: f"{long}{end}"}) for end in "ab")

    assert {len(each) for each in ids} == {253}
    assert len(ids) == 2


def test_a_team_is_named_by_the_policys_label_or_else_by_the_queue() -> None:
    queued = {"kueue.x-k8s.io/queue-name": "research"}

    assert gangs.team(pod(labels={"team": "vision", **queued}), "team") == "vision"
    assert gangs.team(pod(labels=queued), "team") == "research"
    assert gangs.team(pod(labels=queued), "") == "research"
    assert gangs.team(pod(), "team") == ""


def with_group(plain: Pod, group: SchedulingGroup) -> Pod:
    return structs.replace(plain, spec=structs.replace(plain.spec, scheduling_group=group))
