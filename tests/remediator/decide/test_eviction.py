"""A drain asks to leave whoever a controller brings back elsewhere, and nobody else."""

import pytest

from nodehealth import keys
from nodehealth.kube.objects import Pod, Toleration
from remediator.decide import eviction
from remediator.decide.eviction import Stay
from remediator.rules.policy import DrainManners
from tests.builders import pod

MANNERS = DrainManners()


@pytest.mark.parametrize(
    ("each", "why"),
    [
        (pod(), None),
        (pod(owner="DaemonSet"), Stay.DAEMON_SET),
        (pod(owner="Node", mirror=True), Stay.MIRROR),
        (pod(phase="Succeeded"), Stay.FINISHED),
        (pod(phase="Failed"), Stay.FINISHED),
        (pod(phase="Pending"), None),
        (pod(tolerations=(Toleration(operator="Exists"),)), Stay.TOLERATES),
        (pod(tolerations=(Toleration(key=keys.REPAIR_TAINT, operator="Exists"),)), Stay.TOLERATES),
        (pod(tolerations=(Toleration(operator="Exists", effect="NoExecute"),)), None),
        (pod(tolerations=(Toleration(key="gpu", operator="Exists"),)), None),
        (pod(tolerations=(Toleration(key=keys.REPAIR_TAINT, value="x"),)), None),
    ],
)
def test_a_pod_stays_for_a_reason(each: Pod, why: Stay | None) -> None:
    assert eviction.stays(each) is why


def test_a_terminating_pod_is_waited_for_and_not_evicted_again() -> None:
    found = eviction.sort([pod("a"), pod("b", deleted=True)], MANNERS)

    assert [each.metadata.name for each in found.leave] == ["a"]
    assert [each.metadata.name for each in found.leaving] == ["b"]
    assert not found.empty()


def test_a_pod_without_a_controller_needs_a_person_or_a_policy() -> None:
    alone = pod("alone", owner="")

    assert eviction.sort([alone], MANNERS).unreplicated == (alone,)
    assert eviction.sort([alone], DrainManners(unreplicated=True)).leave == (alone,)


def test_a_node_with_nothing_but_daemons_is_empty() -> None:
    assert eviction.sort([pod(owner="DaemonSet"), pod(phase="Failed")], MANNERS).empty()


def test_only_pods_that_were_told_to_go_may_be_let_go_of() -> None:
    going = [pod("a", deleted=True), pod("b", owner="DaemonSet")]

    assert eviction.sort(going, MANNERS).only_leaving()
    assert not eviction.sort([*going, pod("c")], MANNERS).only_leaving()
    assert not eviction.sort([*going, pod("d", owner="")], MANNERS).only_leaving()
    assert not eviction.sort([], MANNERS).only_leaving()
