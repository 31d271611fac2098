"""Others who are at work on a node are known by their marks, and count for its scopes."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Condition, Node
from remediator.decide import maintenance
from remediator.decide.limits import Scope
from remediator.rules.policy import CLUSTER, POOL_LIMIT, Policy, Pool
from tests.builders import NOON, node


def annotated(key: str, value: str) -> Node:
    seen = node()
    return structs.replace(seen, metadata=structs.replace(seen.metadata, annotations={key: value}))


def conditioned(type_: str, status: str) -> Node:
    seen = node()
    conditions = (*seen.status.conditions, Condition(type=type_, status=status))
    return structs.replace(seen, status=structs.replace(seen.status, conditions=conditions))


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
        (leaving(node()), "whoever deletes it"),
        (leaving(node(taints=("karpenter.sh/disrupted",))), "Karpenter"),
    ],
)
def test_a_mark_names_who_put_it_there(seen: Node, who: str) -> None:
    assert maintenance.actor(seen) == who


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
