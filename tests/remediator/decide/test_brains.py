"""No node is disrupted without which the cluster, or nodemend itself, could not go on."""

import pytest

from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.kube.objects import (
    BareCondition,
    BarePod,
    BarePodSpec,
    BarePodStatus,
    Metadata,
    Node,
)
from remediator.decide import gates
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Why
from remediator.decide.survey import Survey
from remediator.rules.policy import Policy
from tests.builders import NOON, ledger, node, repair, slot

OPTED_IN = Policy(control_plane=True)


def brain(name: str, *, ready: bool = True, busy: bool = False, cordoned: bool = False) -> Node:
    labels = {CONTROL_PLANE_LABEL: ""}
    taints = ("karpenter.sh/disrupted",) if busy else ()
    return node(name, labels=labels, ready=ready, taints=taints, unschedulable=cordoned)


def replica(on: str, *, ready: bool = True, leaving: bool = False) -> BarePod:
    condition = BareCondition(type="Ready", status="True" if ready else "False")
    return BarePod(
        metadata=Metadata(name=f"r-{on}", deletion_timestamp=NOON if leaving else None),
        spec=BarePodSpec(node_name=on),
        status=BarePodStatus(conditions=(condition,)),
    )


def refused(
    of: Node,
    *others: Node,
    replicas: tuple[BarePod, ...] = (),
    policy: Policy = OPTED_IN,
    deed: Deed = Deed.DISRUPT,
    surveyed: bool = True,
    slots: tuple[str, ...] = (),
) -> tuple[Why | None, str]:
    asked = Asked(
        deed=deed,
        repair=repair(of.metadata.name),
        node=of,
        ledger=ledger(epoch=1, slots={name: slot(1, name=name) for name in slots}),
        scopes=(),
        policy=policy,
        now=NOON,
        survey=Survey.of((of, *others), replicas) if surveyed else None,
    )
    answer = gates.refusal(asked)
    return (answer.why, answer.message) if answer is not None else (None, "")


def test_a_node_of_the_control_plane_is_disrupted_while_all_others_are_well() -> None:
    assert refused(brain("c1", ready=False), brain("c2"), brain("c3"), node())[0] is None


def fenced(name: str, hold: str) -> Node:
    """Make a node of the control plane that we hold."""
    labels = {CONTROL_PLANE_LABEL: ""}
    return node(name, labels=labels, fence=f"1:{hold}", unschedulable=True)


def test_two_nodes_of_the_control_plane_that_we_only_cordon_do_not_wait_for_each_other() -> None:
    assert refused(fenced("c1", "cordoned"), fenced("c2", "cordoned"), brain("c3"))[0] is None


def test_a_node_of_the_control_plane_waits_while_we_are_at_work_on_another() -> None:
    why, _ = refused(fenced("c1", "cordoned"), fenced("c2", "disrupted"), brain("c3"))

    assert why is Why.CONTROL_PLANE


@pytest.mark.parametrize(
    "other",
    [brain("c2", ready=False), brain("c2", busy=True), brain("c2", cordoned=True)],
    ids=["not ready", "others work on it", "cordoned"],
)
def test_a_node_of_the_control_plane_waits_while_another_is_out(other: Node) -> None:
    why, says = refused(brain("c1"), other, brain("c3"))

    assert why is Why.CONTROL_PLANE
    assert says == "out of the control plane already: c2"


def test_a_control_plane_that_would_lose_its_majority_is_left_alone() -> None:
    assert refused(brain("c1"), brain("c2")) == (
        Why.CONTROL_PLANE,
        "the control plane has 2 nodes, and needs 3 to do without one",
    )
    assert refused(brain("c1"))[1].startswith("the control plane has 1 node,")


def test_a_policy_that_no_longer_allows_it_stops_a_repair_of_the_control_plane() -> None:
    why, _ = refused(brain("c1"), brain("c2"), brain("c3"), policy=Policy(), surveyed=False)

    assert why is Why.CONTROL_PLANE


def test_a_cordon_takes_nothing_from_the_control_plane() -> None:
    assert refused(brain("c1"), policy=Policy(), deed=Deed.CORDON)[0] is None


def test_what_was_not_read_yet_forbids_nothing_for_it_is_asked_again() -> None:
    assert refused(brain("c1"), surveyed=False)[0] is None


@pytest.mark.parametrize(
    ("replicas", "why"),
    [
        ((), None),
        ((replica("n2"),), None),
        ((replica("n1"), replica("n2")), None),
        ((replica("n1", ready=False), replica("n2")), None),
        ((replica("n1"),), Why.LAST_REPLICA),
        ((replica("n1"), replica("n1")), Why.LAST_REPLICA),
        ((replica("n1"), replica("n2", ready=False)), Why.LAST_REPLICA),
        ((replica("n1"), replica("n2", leaving=True)), Why.LAST_REPLICA),
        ((replica("n1"), replica("")), Why.LAST_REPLICA),
    ],
)
def test_the_node_of_a_remediator_is_disrupted_only_while_another_one_is_ready_elsewhere(
    replicas: tuple[BarePod, ...], why: Why | None
) -> None:
    assert refused(node("n1"), node("n2"), replicas=replicas)[0] is why


def test_a_replica_whose_own_node_is_about_to_be_disrupted_stands_in_for_nobody() -> None:
    replicas = (replica("n1"), replica("n2"))

    assert refused(node("n1"), node("n2"), replicas=replicas, slots=("n2",))[0] is Why.LAST_REPLICA
    assert refused(node("n1"), node("n2"), replicas=replicas, slots=("n3",))[0] is None
