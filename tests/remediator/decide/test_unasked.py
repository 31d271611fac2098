"""Whose locks lie beside Nodes and are not asked for is said, by what is to be seen of them."""

import pytest
from msgspec import structs

from nodehealth.kube.objects import Node
from remediator.decide import unasked
from remediator.rules.policy import Coexistence
from tests.builders import node

ALL = Coexistence(medik8s=True, kured=("kube-system", "kured"), machines=True)


def marked(annotation: str) -> Node:
    seen = node()
    meta = structs.replace(seen.metadata, annotations={annotation: "x"})
    return structs.replace(seen, metadata=meta)


@pytest.mark.parametrize(
    ("annotation", "check", "who"),
    [
        ("", "nodehealthchecks.remediation.medik8s.io", "medik8s: its leases"),
        ("weave.works/kured-most-recent-reboot-needed", "", "kured: its lock"),
        ("cluster.x-k8s.io/machine", "", "Cluster API: Machines"),
    ],
)
def test_whose_lock_is_not_asked_for_is_said_until_it_is(
    annotation: str, check: str, who: str
) -> None:
    nodes, checks = [node(), marked(annotation)], [check]

    (said,) = unasked.sentences(nodes, checks, Coexistence())
    assert said.startswith(f"{who} ")
    assert not [*unasked.sentences(nodes, checks, ALL)]


def test_where_nobody_is_to_be_seen_nothing_is_said() -> None:
    others = ["machinehealthchecks.cluster.x-k8s.io"]

    assert not [*unasked.sentences([node()], others, Coexistence())]
