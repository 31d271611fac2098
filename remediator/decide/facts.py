"""What is known of one node, from whom, and until when each part of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from nodehealth.health import NodeHealth, NodeHealthStatus
from nodehealth.kube.objects import Node

STALE_REFRESHES: Final = 3
"""Evidence is stale when this many of the agent's refreshes passed without a write."""
BLIND_AFTER: Final = timedelta(minutes=3)
"""How old the news of a watch may be; it has some, if only a bookmark, about every minute."""
LOOK_AGAIN: Final = timedelta(seconds=30)
"""How soon to look again at what our own watches could not tell."""
_UNHEARD: Final = NodeHealthStatus()
"""What stands for the report of an agent that has not said how often it means to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """Until when each of our watches has told everything; nothing before its first list."""

    nodes: datetime | None = None
    healths: datetime | None = None
    agents: datetime | None = None

    def oldest(self) -> datetime | None:
        """Return until when all of them have."""
        known = [each for each in (self.nodes, self.healths, self.agents) if each is not None]
        return min(known) if len(known) == 3 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The agent's pod on a node."""

    ready: bool
    since: datetime
    """When the pod was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one node; all times by our own clock, whoever's clock they were read off."""

    node: Node
    health: NodeHealth | None = None
    heard_at: datetime | None = None
    """When the node's agent wrote last."""
    agent: Agent | None = None
    """The newest pod of an agent on the node."""
    watches: Watches = field(default_factory=Watches)
    ordered: Mapping[str, str] = field(default_factory=dict)
    """The boots that repairs of the node had its machine end, and which repair each."""

    def report(self) -> NodeHealthStatus | None:
        """Return what an agent said of this very Node, however long ago."""
        if self.health is None or self.heard_at is None:
            return None
        status = self.health.status
        return status if status.node_uid == self.node.metadata.uid else None

    def stale_at(self) -> datetime | None:
        """Say when the report turns stale; nothing when there is none."""
        if self.report() is None or self.heard_at is None:
            return None
        return self.heard_at + self.patience()

    def patience(self) -> timedelta:
        """Say how long the agent may write nothing."""
        return STALE_REFRESHES * timedelta(seconds=(self.report() or _UNHEARD).refresh_seconds)

    def fresh_report(self, now: datetime) -> NodeHealthStatus | None:
        """Return what the agent said unless that is stale."""
        stale_at = self.stale_at()
        return self.report() if stale_at is not None and now < stale_at else None

    def says_no_more_than(self, earlier: Self) -> bool:
        """Say whether nothing was heard since, but that the watches go on."""
        return (
            self.node is earlier.node
            and self.health is earlier.health
            and self.heard_at == earlier.heard_at
            and self.agent == earlier.agent
            and self.ordered == earlier.ordered
        )

    def sees_node(self, now: datetime) -> bool:
        """Say whether our watch of Nodes keeps up."""
        return self.watches.nodes is not None and now - self.watches.nodes <= BLIND_AFTER
