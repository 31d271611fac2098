"""What is read of the cluster by quorum before a disruption: the cache may be old."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.kube.objects import BarePod, Node
from remediator.decide import maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Of the whole cluster only what a disruption may founder on."""

    busy: tuple[Node, ...] = ()
    """Nodes on which others are at work."""
    control_plane: tuple[Node, ...] = ()
    replicas: tuple[BarePod, ...] = ()
    """The pods of the remediator."""

    @classmethod
    def of(cls, nodes: Iterable[Node], replicas: Iterable[BarePod]) -> Self:
        """Keep what matters of all Nodes."""
        all_nodes = tuple(nodes)
        return cls(
            busy=tuple(each for each in all_nodes if maintenance.actor(each)),
            control_plane=tuple(
                each for each in all_nodes if CONTROL_PLANE_LABEL in each.metadata.labels
            ),
            replicas=tuple(replicas),
        )
