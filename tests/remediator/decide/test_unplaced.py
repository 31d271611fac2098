"""Who waits for a node in place of what we evicted, and who for reasons of his own."""

from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth.kube.objects import Condition, Pod
from nodehealth.repair import Evicted, NodeRepair, NodeRepairStatus
from remediator.decide import unplaced
from remediator.decide.trips import Crowd
from tests.builders import at, pod, repair

WITHIN = timedelta(minutes=30)
NOWHERE = Condition(type="PodScheduled", status="False", reason="Unschedulable")
GATED = Condition(type="PodScheduled", status="False", reason="SchedulingGated")
PLACED = Condition(type="PodScheduled", status="True")


def drained(name: str, *evictions: tuple[str, float], namespace: str = "jobs") -> NodeRepair:
    """Make a repair that evicted pods, each of an owner at a second after noon."""
    asked = tuple(
        Evicted(namespace=namespace, name=f"p{n}", uid=f"u{n}", at=at(when), owner=owner)
        for n, (owner, when) in enumerate(evictions)
    )
    return repair(name, status=NodeRepairStatus(evictions=asked))


def stranded(made: float = 0, *, owner: str = "ReplicaSet", why: Condition | None = NOWHERE) -> Pod:
    """Make a pod that no scheduler has placed."""
    bare = pod(owner=owner, phase="Pending", node_name="")
    conditions = (why,) if why is not None else ()
    return structs.replace(
        bare,
        metadata=structs.replace(bare.metadata, creation_timestamp=at(made)),
        status=structs.replace(bare.status, conditions=conditions),
    )


def counted(*pods: Pod, repairs: tuple[NodeRepair, ...], after: float = 60) -> Crowd:
    return unplaced.waiting(pods, unplaced.evicted(repairs, WITHIN, at(after)))


def test_what_came_in_place_of_evicted_pods_and_fits_nowhere_is_counted() -> None:
    drains = (
        drained("n1", ("ReplicaSet/owner", 0), ("ReplicaSet/owner", 5), ("Job/train", 6)),
        drained("n2", ("ReplicaSet/owner", 20), ("", 21)),
    )

    assert counted(stranded(1), stranded(30), repairs=drains) == Crowd(all=4, amiss=2)


@pytest.mark.parametrize(
    "other",
    [
        stranded(owner="Job"),
        stranded(owner=""),
        stranded(-61),
        stranded(why=GATED),
        stranded(why=PLACED),
        stranded(why=None),
        structs.replace(stranded(), metadata=structs.replace(stranded().metadata, namespace="x")),
        structs.replace(
            stranded(), metadata=structs.replace(stranded().metadata, creation_timestamp=None)
        ),
    ],
    ids=["whose", "nobodys", "before", "gated", "placed", "unseen", "elsewhere", "undated"],
)
def test_what_waits_for_another_reason_is_not(other: Pod) -> None:
    drains = (drained("n1", ("ReplicaSet/owner", 0)),)

    assert counted(other, repairs=drains) == Crowd(all=1)


def test_evictions_of_long_ago_are_to_blame_for_nothing() -> None:
    drains = (drained("n1", ("ReplicaSet/owner", 0)),)

    assert counted(stranded(), repairs=drains, after=WITHIN.total_seconds()) == Crowd()


def test_a_pod_may_come_before_it_is_written_down_that_another_was_evicted() -> None:
    drains = (drained("n1", ("ReplicaSet/owner", 90), ("ReplicaSet/owner", 30)),)

    assert counted(stranded(-29), repairs=drains, after=99).amiss == 1
