"""A drain asks to leave whoever a controller brings back elsewhere, and nobody else."""

from collections.abc import Iterable

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Condition, OwnerReference, Pod, Toleration
from remediator.decide import eviction
from remediator.decide.eviction import Kind, Patience, Sorted, Stay
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, pod

MANNERS = DrainManners()
FINALIZER = ("batch.kubernetes.io/job-tracking",)
HALF_AN_HOUR = Patience(until=at(1800))


def sort(pods: Iterable[Pod], manners: DrainManners = MANNERS) -> Sorted:
    return eviction.sort(pods, manners, Patience(), NOON)


def wished(wish: str, owner: str = "ReplicaSet") -> Pod:
    return pod(owner=owner, annotations={keys.DRAIN: wish})


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
        (wished("skip"), Stay.SKIPPED),
        (wished("evict"), None),
        (pod(deleted=True, finalizers=FINALIZER, ended=(True, True)), Stay.KEPT),
        (pod(deleted=True, finalizers=FINALIZER, ended=(True, False)), None),
        (pod(deleted=True, finalizers=FINALIZER), None),
        (pod(deleted=True, ended=(True,)), None),
        (pod(finalizers=FINALIZER, ended=(True,)), None),
    ],
)
def test_a_pod_stays_for_a_reason(each: Pod, why: Stay | None) -> None:
    assert eviction.stays(each, NOON) is why


def test_a_pod_whose_grace_is_not_over_is_not_only_kept_by_its_finalizer() -> None:
    ending = pod(deleted=True, finalizers=FINALIZER, ended=(True,))

    assert eviction.stays(ending, at(-1)) is None


@pytest.mark.parametrize(
    ("each", "patience", "kind", "why"),
    [
        (pod(restarts="Never"), Patience(), Kind.EVICT, ""),
        (pod(restarts="Never"), HALF_AN_HOUR, Kind.WAIT, "it runs to completion"),
        (pod(restarts="OnFailure"), HALF_AN_HOUR, Kind.WAIT, "it runs to completion"),
        (pod(), HALF_AN_HOUR, Kind.EVICT, ""),
        (pod(restarts="Never", labels={"spark-role": "executor"}), HALF_AN_HOUR, Kind.EVICT, ""),
        (
            pod(restarts="Never", labels={"spark-role": "driver"}),
            HALF_AN_HOUR,
            Kind.WAIT,
            "it runs to completion",
        ),
        (
            pod(restarts="Never"),
            Patience(until=NOON),
            Kind.HELD,
            "it runs to completion and did not finish in time",
        ),
        (pod(restarts="Never"), Patience(until=NOON, evicts=True), Kind.EVICT, ""),
        (
            pod(restarts="Never", owner=""),
            Patience(until=NOON, evicts=True),
            Kind.HELD,
            eviction.ALONE,
        ),
        (
            pod(annotations={keys.SAFE_TO_EVICT: "false"}),
            Patience(),
            Kind.WAIT,
            f"it is marked {keys.SAFE_TO_EVICT}=false",
        ),
        (pod(annotations={keys.SAFE_TO_EVICT: "true"}), Patience(), Kind.EVICT, ""),
        (
            pod(annotations={keys.DO_NOT_DISRUPT: "true"}),
            HALF_AN_HOUR,
            Kind.WAIT,
            f"it is marked {keys.DO_NOT_DISRUPT}=true",
        ),
        (
            wished("wait-completed"),
            Patience(until=NOON),
            Kind.HELD,
            f"it is marked {keys.DRAIN}=wait-completed and did not finish in time",
        ),
        (wished("block"), Patience(), Kind.HELD, f"it is marked {keys.DRAIN}=block"),
        (
            wished("wait"),
            Patience(),
            Kind.HELD,
            f"its mark {keys.DRAIN}=wait is none of evict, wait-completed, skip, block",
        ),
        (wished("evict", owner=""), Patience(), Kind.EVICT, ""),
        (
            pod(annotations={keys.DRAIN: "evict", keys.SAFE_TO_EVICT: "false"}),
            Patience(),
            Kind.EVICT,
            "",
        ),
        (pod(labels={keys.DRAIN: "block"}, deleted=True), Patience(), Kind.LEAVING, ""),
        (
            pod(labels={keys.DRAIN: "block"}),
            Patience(),
            Kind.HELD,
            f"it is marked {keys.DRAIN}=block",
        ),
        (pod(owner="DaemonSet"), Patience(), Kind.STAY, Stay.DAEMON_SET),
    ],
)
def test_what_is_done_with_a_pod(each: Pod, patience: Patience, kind: Kind, why: str) -> None:
    verdict = eviction.judge(each, MANNERS, patience, NOON)

    assert (verdict.kind, verdict.why) == (kind, why)


def test_a_terminating_pod_is_waited_for_and_not_evicted_again() -> None:
    found = sort([pod("a"), pod("b", deleted=True)])

    assert [each.pod.metadata.name for each in found.evict] == ["a"]
    assert [each.pod.metadata.name for each in found.leaving] == ["b"]


def test_a_pod_without_a_controller_needs_a_person_or_a_policy() -> None:
    alone = pod("alone", owner="")

    assert [each.pod for each in sort([alone]).held] == [alone]
    allowed = sort([alone], DrainManners(unreplicated=True))
    assert [each.pod for each in allowed.evict] == [alone]


def test_on_a_node_with_nothing_but_daemons_nobody_is_left() -> None:
    found = sort([pod(owner="DaemonSet"), pod(phase="Failed")])

    assert found.left() == ()
    assert len(found.stay) == 2


def test_only_pods_that_were_told_to_go_may_be_let_go_of() -> None:
    going = [pod("a", deleted=True), pod("b", owner="DaemonSet")]

    assert sort(going).only_leaving()
    assert not sort([*going, pod("c")]).only_leaving()
    assert not sort([*going, pod("d", owner="")]).only_leaving()
    assert not sort([*going, wished("wait-completed")]).only_leaving()
    assert not sort([]).only_leaving()


def test_what_is_well_or_waits_for_its_end_or_a_person_is_not_dead() -> None:
    assert sort([pod("a"), pod("b", deleted=True)]).only_dead()
    assert not sort([pod("a"), pod("c", ready=True)]).only_dead()
    assert not sort([pod("a"), pod("d", owner="")]).only_dead()
    assert not sort([pod("a"), wished("wait-completed")]).only_dead()


def owned(kind: str, name: str, **labels: str) -> Pod:
    plain = pod(labels={each.replace("_", "-"): value for each, value in labels.items()})
    owner = OwnerReference(kind=kind, name=name, controller=True)
    return structs.replace(
        plain, metadata=structs.replace(plain.metadata, owner_references=(owner,))
    )


@pytest.mark.parametrize(
    ("each", "owner"),
    [
        (owned("ReplicaSet", "web-7d9f", pod_template_hash="7d9f"), "Deployment/web"),
        (owned("ReplicaSet", "web", pod_template_hash="7d9f"), "ReplicaSet/web"),
        (owned("ReplicaSet", "web-"), "ReplicaSet/web-"),
        (owned("StatefulSet", "db"), "StatefulSet/db"),
        (pod(owner=""), ""),
    ],
)
def test_the_owner_is_what_people_call_it(each: Pod, owner: str) -> None:
    assert eviction.workload(each) == owner


def test_an_evicted_pod_is_told_from_one_that_was_deleted() -> None:
    noted = Condition(
        type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI", message=""
    )
    plain = pod(deleted=True)
    asked = structs.replace(plain, status=structs.replace(plain.status, conditions=(noted,)))

    assert eviction.is_evicted(asked)
    assert not eviction.is_evicted(plain)
