"""Others who are at work on a node are known by their marks, and count for its scopes."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Condition, Node, Taint
from remediator.decide import maintenance
from remediator.decide.counting import Scope
from remediator.decide.survey import Survey
from remediator.rules.policy import CLUSTER, POOL_LIMIT, Policy, Pool
from tests.builders import NOON, node


def annotated(key: str, value: str) -> Node:
    seen = node()
    return structs.replace(seen, metadata=structs.replace(seen.metadata, annotations={key: value}))


def conditioned(type_: str, status: str, *, message: str = "", fence: str = "") -> Node:
    seen = node(fence=fence)
    said = Condition(type=type_, status=status, message=message)
    conditions = (*seen.status.conditions, said)
    return structs.replace(seen, status=structs.replace(seen.status, conditions=conditions))


def labelled(key: str, value: str) -> Node:
    return node(labels={key: value})


def tainted(seen: Node, *taints: Taint) -> Node:
    return structs.replace(seen, spec=structs.replace(seen.spec, taints=taints))


def leaving(seen: Node) -> Node:
    return structs.replace(seen, metadata=structs.replace(seen.metadata, deletion_timestamp=NOON))


def test_nobody_is_at_work_on_a_node_without_marks() -> None:
    taints = ("dedicated", "DeletionCandidateOfClusterAutoscaler")

    assert maintenance.actor(node(taints=taints)) == ""


def test_a_node_that_was_only_cordoned_is_not_worked_on() -> None:
    assert maintenance.actor(node(unschedulable=True, ready=False)) == ""


@pytest.mark.parametrize(
    ("seen", "who"),
    [
        (node(taints=("dedicated", "karpenter.sh/disrupted")), "Karpenter"),
        (node(taints=("ToBeDeletedByClusterAutoscaler",)), "the cluster autoscaler"),
        (node(taints=("medik8s.io/drain",)), "the node maintenance operator"),
        (annotated("weave.works/kured-reboot-in-progress", "2026-01-01T12:00:00Z"), "kured"),
        (
            annotated("machineconfiguration.openshift.io/state", "Working"),
            "the machine config operator",
        ),
        (annotated("machineconfiguration.openshift.io/state", "Done"), ""),
        (conditioned("DrainInProgress", "True"), "somebody who drains it"),
        (conditioned("DrainInProgress", "False"), ""),
        (conditioned("Terminating", "True"), "the machine controller manager"),
        (conditioned("GracefulNodeShutdownInProgress", "True"), "whoever shuts it down"),
        (conditioned("MaintenancePlanned", "True"), ""),
        (node(taints=("node.kubernetes.io/out-of-service",)), "whoever put it out of service"),
        (
            node(taints=("node.cloudprovider.kubernetes.io/shutdown",)),
            "whoever shut its machine down",
        ),
        (leaving(node()), "whoever deletes it"),
        (leaving(node(taints=("karpenter.sh/disrupted",))), "Karpenter"),
    ],
)
def test_a_mark_names_who_put_it_there(seen: Node, who: str) -> None:
    assert maintenance.actor(seen) == who


@pytest.mark.parametrize(
    "seen",
    [
        tainted(
            node(fence="3:disrupted"),
            Taint(key="node.cloudprovider.kubernetes.io/shutdown", effect="NoSchedule"),
        ),
        tainted(
            node(), Taint(key="node.kubernetes.io/out-of-service", value="nodemend", effect="X")
        ),
        conditioned("GracefulNodeShutdownInProgress", "True", fence="3:disrupted"),
        conditioned("DrainInProgress", "True", message="nodemend: w-1-1 drains it."),
    ],
)
def test_what_our_own_remedies_bring_about_is_nobody_elses_work(seen: Node) -> None:
    assert maintenance.actor(seen) == ""


@pytest.mark.parametrize("fence", ["", "3:disrupted"])
def test_somebody_who_drains_counts_whether_we_disrupt_or_not(fence: str) -> None:
    seen = conditioned("DrainInProgress", "True", fence=fence)

    assert maintenance.actor(seen) == "somebody who drains it"


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        (labelled("remediation.medik8s.io/exclude-from-remediation", "true"), True),
        (labelled("remediation.medik8s.io/exclude-from-remediation", "false"), False),
        (annotated("node.machine.sapcloud.io/preserve", "when-failed"), True),
        (annotated("node.machine.sapcloud.io/preserve", "False"), False),
        (node(), False),
    ],
)
def test_who_wants_a_node_left_alone_says_so_and_is_not_at_work(seen: Node, asked: bool) -> None:  # noqa: FBT001 - a case
    assert bool(maintenance.spared(seen)) == asked
    assert maintenance.actor(seen) == ""


def test_work_is_over_when_its_mark_or_its_node_is_gone() -> None:
    busy = node(taints=("karpenter.sh/disrupted",))

    assert maintenance.is_over(busy, node())
    assert maintenance.is_over(busy, None)
    assert not maintenance.is_over(busy, busy)
    assert not maintenance.is_over(node(), busy)
    assert not maintenance.is_over(None, node())


def test_what_others_work_on_counts_for_its_own_pool_and_for_the_cluster() -> None:
    policy = Policy(pools=(Pool(name="a", labels={"pool": "a"}, limit=POOL_LIMIT),))
    names = frozenset({"n1", "n2"})
    scopes = tuple(
        Scope(name=name, members=names, out=names, foreign={"n9": "an old rumour"})
        for name in ("a", "b", CLUSTER)
    )
    busy = node("n1", labels={"pool": "a"}, taints=("karpenter.sh/disrupted",))

    counted = maintenance.counted(scopes, [busy], policy)

    assert [each.foreign for each in counted] == [{"n1": "Karpenter"}, {}, {"n1": "Karpenter"}]
    assert [each.members for each in counted] == [names] * 3


def test_a_lock_beside_the_node_counts_as_a_mark_on_it() -> None:
    free, marked = node("n1"), node("n2", taints=("karpenter.sh/disrupted",))
    names = frozenset({"n1", "n2", "n3"})
    scope = Scope(name=CLUSTER, members=names, out=frozenset())
    held = {"n1": "a lease", "n2": "another lease"}

    survey = Survey.of([free, marked, node("n3")], (), held=held)
    (counted,) = maintenance.counted((scope,), survey.busy, Policy(), survey.held)

    assert survey.busy == (free, marked)
    assert counted.foreign == {"n1": "a lease", "n2": "Karpenter"}
