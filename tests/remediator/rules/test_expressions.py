"""What a `where` sees of a node: its name, its labels and its resources as numbers."""

import pytest
from msgspec import structs

from nodehealth import cel
from nodehealth.catalogue import CATALOGUE
from nodehealth.kube.objects import Node
from remediator.rules import expressions
from tests.builders import node

MEMORY = {"cpu": "7910m", "memory": "2Ti", "nvidia.com/gpu": "7", "odd": "?"}


def seen() -> Node:
    whole = node(labels={"pool": "h100"})
    return structs.replace(whole, status=structs.replace(whole.status, allocatable=MEMORY))


def holds(where: str) -> bool:
    program = cel.compile(where, expressions.environment(CATALOGUE["disk.free_ratio"]))
    return program({"node": expressions.node_values(seen(), {"b1": "r1"})})


@pytest.mark.parametrize(
    "where",
    [
        'node.labels["pool"] == "h100"',
        'node.allocatable["cpu"] == 7.91',
        'node.allocatable["memory"] == 2199023255552.0',
        'node.allocatable["nvidia.com/gpu"] < node.capacity["nvidia.com/gpu"]',
        'node.capacity["nvidia.com/gpu"] == 8.0',
        '"b1" in node.ordered && !("b2" in node.ordered)',
    ],
)
def test_resources_are_numbers(where: str) -> None:
    assert holds(where)


@pytest.mark.parametrize("name", ["odd", "absent"])
def test_what_is_no_number_has_no_value(name: str) -> None:
    with pytest.raises(cel.EvaluationError):
        holds(f'node.allocatable["{name}"] > 0')
