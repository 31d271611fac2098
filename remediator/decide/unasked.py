"""Who seems to be at work here with locks beside Nodes, and is not asked."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from nodehealth.kube.objects import Node
from remediator.decide.locks import MACHINE_ANNOTATION
from remediator.rules.policy import Coexistence

_KURED: Final = (
    "weave.works/kured-reboot-in-progress",
    "weave.works/kured-most-recent-reboot-needed",
)
"""What kured writes on Nodes with --annotate-nodes."""
_MEDIK8S: Final = "remediation.medik8s.io"
_SEE: Final = "docs/coexistence.md"


def sentences(
    nodes: Iterable[Node], checks: Collection[str], coexistence: Coexistence
) -> Iterator[str]:
    """Say whose locks the policy should have asked for, by what is to be seen of them.

    Args:
        nodes: All Nodes.
        checks: The custom resources, as `<plural>.<group>`, of which there are objects.
        coexistence: What is asked for already.
    """
    marks = {name for node in nodes for name in node.metadata.annotations}
    if not coexistence.medik8s and any(each.endswith(_MEDIK8S) for each in checks):
        yield f"medik8s: its leases are not asked for (coexistence: {{medik8s: true}}; {_SEE})"
    if coexistence.kured is None and marks & {*_KURED}:
        yield f"kured: its lock is not asked for (coexistence: {{kured: NAMESPACE/NAME}}; {_SEE})"
    if not coexistence.machines and MACHINE_ANNOTATION in marks:
        yield f"Cluster API: Machines are not asked for (coexistence: {{machines: true}}; {_SEE})"
