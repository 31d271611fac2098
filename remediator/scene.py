"""All that one move of a repair works with: what it was decided by, and what surrounds it."""

from collections.abc import Mapping
from dataclasses import dataclass

from nodehealth.repair import Mode, NodeRepair
from remediator.decide.limits import Scope
from remediator.decide.moves import View, Wellness
from remediator.providers import Provider
from remediator.record import Record
from remediator.rules.policy import CLUSTER, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a repair has to know of the rest of the fleet, from the cache."""

    wellness: Wellness
    allowed: Mode
    """How far the policy and the rule go now."""
    ruled: bool
    """Whether the rule still exists."""
    eclipsed_by: str
    """The rule that may act on the node while the repair may only observe it."""
    scopes: Mapping[str, Scope]
    """Every pool and the cluster by name."""
    repairs: tuple[NodeRepair, ...]
    policy: Policy
    provider: Provider | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that one move works with."""

    view: View
    around: Around
    record: Record

    def scopes(self) -> tuple[Scope, ...]:
        """Return the scopes whose limits the repair falls under."""
        names = (self.view.repair.spec.target.pool, CLUSTER)
        return tuple(self.around.scopes.get(name) or _nobody(name) for name in names)


def _nobody(scope: str) -> Scope:
    """Return a scope that has lost its last node: its slots still count."""
    return Scope(name=scope, members=frozenset(), out=frozenset())
