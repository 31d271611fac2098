"""Who else repairs nodes is known by what it leaves on them, and by the objects that tell it to."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Condition, Node
from nodehealth.repair import Mode
from remediator.decide import competitors
from remediator.decide.competitors import Competitor
from remediator.rules.policy import Beside, Policy
from tests.builders import node


def labelled(key: str, value: str = "a") -> Node:
    return node(labels={key: value})


def conditioned(type_: str, message: str = "") -> Node:
    seen = node()
    status = structs.replace(
        seen.status, conditions=(Condition(type=type_, status="True", message=message),)
    )
    return structs.replace(seen, status=status)


def names(*nodes: Node, **checks: tuple[str, ...]) -> list[tuple[str, bool]]:
    found = competitors.found(nodes, checks)
    return [(each.name, each.certain) for each in found]


@pytest.mark.parametrize(
    ("seen", "name", "certain"),
    [
        (labelled("kubernetes.azure.com/agentpool"), "AKS auto-repair", True),
        (labelled("eks.amazonaws.com/nodegroup"), "EKS node repair", False),
        (labelled("eks.amazonaws.com/compute-type", "auto"), "EKS Auto Mode", True),
        (labelled("cloud.google.com/gke-nodepool"), "GKE auto-repair", False),
        (labelled("karpenter.sh/nodepool"), "Karpenter node repair", False),
        (conditioned("DrainScheduled"), "draino", True),
        (
            conditioned("StorageReady", "ok"),
            "whoever acts on the EKS node monitoring agent",
            False,
        ),
    ],
)
def test_a_node_shows_who_else_may_repair_it(seen: Node, name: str, *, certain: bool) -> None:
    assert names(seen, seen) == [(name, certain)]


def test_a_plain_node_and_our_own_conditions_show_nobody() -> None:
    plain = labelled("eks.amazonaws.com/compute-type", "hybrid")

    assert names(node(), plain, conditioned("StorageReady", "nodemend: full.")) == []


@pytest.mark.parametrize("resource", competitors.KINDS)
def test_objects_that_switch_a_repairer_on_show_it(resource: str) -> None:
    assert competitors.found((), {resource: ()}) == ()

    (found,) = competitors.found((), {resource: ("b", "a", "d", "c")})

    assert found.certain
    assert found.evidence == f"{resource} a, b, c"


def test_it_is_said_how_somebody_is_switched_off() -> None:
    (may,) = competitors.found([labelled("karpenter.sh/nodepool")], {})
    (does,) = competitors.found([labelled("kubernetes.azure.com/agentpool")], {})

    assert competitors.sentence(may).startswith("Karpenter node repair may repair nodes here too")
    assert "feature gate NodeRepair=false" in competitors.sentence(may)
    assert competitors.sentence(does).startswith("AKS auto-repair repairs nodes here too")


@pytest.mark.parametrize(
    ("certain", "stays", "mode", "beside", "loud"),
    [
        (True, False, Mode.ENFORCE, Beside.WARN, True),
        (True, False, Mode.OBSERVE, Beside.WARN, False),
        (False, False, Mode.ENFORCE, Beside.REFUSE, False),
        (True, True, Mode.ENFORCE, Beside.WARN, False),
        (True, True, Mode.ENFORCE, Beside.REFUSE, True),
    ],
)
def test_people_are_asked_to_act_only_where_they_can(
    mode: Mode, beside: Beside, *, certain: bool, stays: bool, loud: bool
) -> None:
    one = Competitor(name="x", certain=certain, evidence="e", off="o", stays=stays)

    assert one.is_loud(Policy(mode=mode, competitors=beside)) == loud
