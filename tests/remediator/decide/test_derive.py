"""What the remediator reads off a Node is known as long as its watch of Nodes keeps up."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level
from nodehealth.keys import GPUS_LABEL
from nodehealth.kube.objects import Condition, Node
from nodehealth.signals import Author, Knowledge
from remediator.decide.derive import DERIVATIONS
from remediator.decide.facts import BLIND_AFTER, Facts, Watches
from tests.builders import NOON, at, node


def condition(kind: str = "Ready", status: str = "True", reason: str = "R") -> Condition:
    return Condition(type=kind, status=status, reason=reason, last_transition_time=at(-60))


def with_conditions(*conditions: Condition) -> Node:
    seen = node()
    return structs.replace(seen, status=structs.replace(seen.status, conditions=conditions))


def with_gpus(
    capacity: Mapping[str, str], allocatable: Mapping[str, str], label: str | None = None
) -> Node:
    seen = node(labels={} if label is None else {GPUS_LABEL: label})
    status = structs.replace(seen.status, capacity=capacity, allocatable=allocatable)
    return structs.replace(seen, status=status)


def read(name: str, seen: Node, *, told: datetime = NOON) -> tuple[Level, ...]:
    return DERIVATIONS[name].levels(Facts(node=seen, watches=Watches(nodes=told)), NOON)


def test_all_signals_that_are_left_to_the_remediator_are_read() -> None:
    left = {name for name, each in CATALOGUE.items() if each.author is Author.REMEDIATOR}

    assert left == DERIVATIONS.keys()


@pytest.mark.parametrize("name", ["node.ready", "node.condition", "node.gpu_allocatable"])
def test_a_level_has_the_fields_that_the_catalogue_promises(name: str) -> None:
    seen = structs.replace(with_conditions(condition()), metadata=node().metadata)

    for each in read(name, seen):
        assert each.name == name
        assert each.fields.keys() == CATALOGUE[name].fields.keys()


@pytest.mark.parametrize(("status", "value"), [("True", 1), ("False", 0), ("Unknown", 0)])
def test_a_kubelet_that_nobody_hears_of_is_known_not_to_be_ready(status: str, value: float) -> None:
    (found,) = read("node.ready", with_conditions(condition(status=status, reason="Why")))

    assert (found.value, found.knowledge) == (value, Knowledge.KNOWN)
    assert found.fields == {"status": status, "reason": "Why", "why": ""}


def test_a_kubelet_whose_pleg_is_not_healthy_says_so_in_its_message() -> None:
    seen = structs.replace(
        condition(status="False"), message="[PLEG is not healthy: pleg was last seen active 4m ago]"
    )

    (found,) = read("node.ready", with_conditions(seen))

    assert found.fields["why"] == "pleg"
    assert found.since == at(-60)


def test_a_node_that_has_not_yet_said_whether_it_is_ready_is_unknown() -> None:
    assert read("node.ready", with_conditions(condition("DiskPressure"))) == ()


@pytest.mark.parametrize(
    ("status", "value", "knowledge"),
    [
        ("True", 1, Knowledge.KNOWN),
        ("False", 0, Knowledge.KNOWN),
        ("Unknown", None, Knowledge.UNKNOWN),
    ],
)
def test_a_condition_is_known_as_far_as_its_writer_knows(
    status: str, value: float | None, knowledge: Knowledge
) -> None:
    (found,) = read("node.condition", with_conditions(condition("KernelDeadlock", status)))

    assert (found.subject, found.value, found.knowledge) == ("KernelDeadlock", value, knowledge)


def test_our_own_conditions_are_no_evidence_under_whatever_name() -> None:
    ours, theirs = condition("nodemend.dev/StorageReady"), condition("StorageReady")
    lent = structs.replace(condition("KernelReady"), message="nodemend: a soft lockup.")

    found = read("node.condition", with_conditions(ours, theirs, lent))

    assert [each.subject for each in found] == ["StorageReady"]


@pytest.mark.parametrize(
    ("capacity", "allocatable", "label", "value", "expected"),
    [
        ({"nvidia.com/gpu": "8"}, {"nvidia.com/gpu": "7"}, None, 7, 8),
        ({"amd.com/gpu": "4"}, {}, None, 0, 4),
        ({"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": "0"}, "8", 0, 8),
        ({}, {}, "8", 0, 8),
        ({"nvidia.com/gpu": "8"}, {"nvidia.com/gpu": "8"}, "eight", 8, 8),
    ],
    ids=["one is sick", "plugin gone", "plugin long gone", "never came", "bad label"],
)
def test_gpus_are_counted_against_the_label_or_the_capacity(
    capacity: Mapping[str, str],
    allocatable: Mapping[str, str],
    label: str | None,
    value: float,
    expected: int,
) -> None:
    (found,) = read("node.gpu_allocatable", with_gpus(capacity, allocatable, label))

    assert (found.value, found.fields["expected"]) == (value, expected)
    assert found.knowledge is Knowledge.KNOWN


@pytest.mark.parametrize("label", [None, "0"])
def test_where_no_gpu_is_expected_none_is_missing(label: str | None) -> None:
    (found,) = read("node.gpu_allocatable", with_gpus({"cpu": "8"}, {"cpu": "8"}, label))

    assert found.knowledge is Knowledge.NOT_APPLICABLE


def test_a_device_plugin_that_took_the_capacity_with_it_leaves_nothing_known() -> None:
    forgotten = {"nvidia.com/gpu": "0"}

    assert read("node.gpu_allocatable", with_gpus(forgotten, forgotten)) == ()


def test_what_is_no_number_is_not_known() -> None:
    assert read("node.gpu_allocatable", with_gpus({"nvidia.com/gpu": "?"}, {})) == ()


def test_nothing_is_known_of_a_node_while_our_watch_is_behind() -> None:
    seen = with_conditions(condition(status="False"))

    assert read("node.ready", seen, told=NOON - BLIND_AFTER) != ()
    assert read("node.ready", seen, told=NOON - BLIND_AFTER - timedelta(seconds=1)) == ()
    assert DERIVATIONS["node.ready"].levels(Facts(node=seen), NOON) == ()


def test_a_blind_watch_is_asked_again_and_a_good_one_speaks_for_itself() -> None:
    derivation, seen = DERIVATIONS["node.ready"], node()

    assert derivation.due(Facts(node=seen), NOON) == at(30)
    assert derivation.due(Facts(node=seen, watches=Watches(nodes=NOON)), NOON) is None


def test_a_node_is_known_as_of_what_the_watch_told_last() -> None:
    facts = Facts(node=node(), heard_at=at(-5), watches=Watches(nodes=at(-9)))

    assert DERIVATIONS["node.ready"].known_at(facts) == at(-9)
    assert DERIVATIONS["agent.silent"].known_at(facts) == at(-5)
