"""What is read of the cluster by quorum before a disruption: the cache may be old."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from nodehealth.keys import CONTROL_PLANE_LABEL, FENCE_ANNOTATION
from nodehealth.kube.objects import BarePod, Node
from nodehealth.repair import NodeRepair
from remediator.decide import maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Of the whole cluster only what a disruption may founder on."""

    busy: tuple[Node, ...] = ()
    """Nodes on which others are at work."""
    control_plane: tuple[Node, ...] = ()
    replicas: tuple[BarePod, ...] = ()
    """The pods of the remediator."""
    marked: tuple[Node, ...] = ()
    """Nodes that carry a fence, of whichever hold."""
    repairs: tuple[NodeRepair, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    """By node, who holds it by a lock that does not lie on the Node."""

    @classmethod
    def of(
        cls,
        nodes: Iterable[Node],
        replicas: Iterable[BarePod],
        repairs: Iterable[NodeRepair] = (),
        held: Mapping[str, str] | None = None,
    ) -> Self:
        """Keep what matters of all Nodes."""
        locked = held or {}
        all_nodes = tuple(nodes)
        return cls(
            busy=tuple(
                each
                for each in all_nodes
                if maintenance.actor(each) or each.metadata.name in locked
            ),
            control_plane=tuple(
                each for each in all_nodes if CONTROL_PLANE_LABEL in each.metadata.labels
            ),
            replicas=tuple(replicas),
            marked=tuple(
                each for each in all_nodes if FENCE_ANNOTATION in each.metadata.annotations
            ),
            repairs=tuple(repairs),
            held=locked,
        )
