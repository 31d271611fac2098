"""When too much is amiss at once to go on, as the policy says; docs/breakers.md tells why."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

LEAST: Final = 3
"""So many must be amiss at least: of one node or two, nothing can be said about the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How many repairs may begin in a while; of the count and the share the higher."""

    repairs: int = 5
    share: str = "1%"
    within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmended:
    """How many repairs of a pool may fail one after the other."""

    repairs: int = 2
    within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterChange:
    """On what share of a pool one rule may begin to hold after rules or versions changed."""

    share: str = "10%"
    within: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPods:
    """How many pods may wait in place of those that were evicted; of count and share the higher."""

    pods: int = 10
    share: str = "50%"
    """Of as many as were evicted."""
    within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """Every breaker; what is empty never opens."""

    unhealthy_pool: str = "30%"
    unhealthy_zone: str = "50%"
    silent_agents: str = "50%"
    silent_nodes: str = "60%"
    api_errors: str = "20%"
    burst: Burst | None = field(default_factory=Burst)
    failed_replacements: int = 3
    """How many replacements of a pool may fail one after the other; 0 is any number."""
    unmended: Unmended | None = field(default_factory=Unmended)
    after_change: AfterChange | None = field(default_factory=AfterChange)
    pending_pods: PendingPods | None = field(default_factory=PendingPods)
    cool_down: timedelta = timedelta(minutes=15)
    """How long nothing is tried; then one node at a time is."""
    settle: timedelta = timedelta(minutes=2)
    """How long nothing may be amiss before all goes on as usual."""


NEVER: Final = Breaking(
    unhealthy_pool="",
    unhealthy_zone="",
    silent_agents="",
    silent_nodes="",
    api_errors="",
    burst=None,
    failed_replacements=0,
    unmended=None,
    after_change=None,
    pending_pods=None,
)
"""No breaker at all."""
