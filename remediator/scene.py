"""All that one move of a repair works with: what it was decided by, and what surrounds it."""

from collections.abc import Callable
from dataclasses import dataclass

from nodehealth.kube.objects import Node
from nodehealth.repair import Joined, Mode, NodeRepair
from remediator.decide import waiting
from remediator.decide.counting import Scope
from remediator.decide.moves import Other, View, Wellness
from remediator.decide.scopes import Scopes
from remediator.providers import Provider
from remediator.record import Record
from remediator.rules.policy import CLUSTER, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a repair has to know of the rest of the fleet, from the cache."""

    wellness: Callable[[Node | None], Wellness]
    """Says what is known of the fault, by a Node that is newer than the cache."""
    allowed: Mode
    """How far the policy and the rule go now."""
    ruled: bool
    """Whether the rule still exists."""
    eclipsed_by: str
    """The rule that may act on the node while the repair may only observe it."""
    others: Callable[[Node | None], tuple[Other, ...]]
    """Says the same of the faults that joined the repair."""
    joining: Callable[[Node | None], tuple[Joined, ...]]
    """Says which faults hold on the node that have not joined it yet."""
    scopes: Scopes
    """Every pool, every domain and the cluster by name."""
    repairs: tuple[NodeRepair, ...]
    policy: Policy
    provider: Provider | None

    def above(self, repair: NodeRepair, node: Node | None) -> tuple[Scope, ...]:
        """Return the scopes whose limits a repair falls under."""
        present = self.policy.scopes_of(node) if node is not None else ()
        names = (*waiting.places(repair, self.scopes, present), CLUSTER)
        name = repair.spec.target.node
        return tuple(self.scopes.get(scope) or _only(scope, name) for scope in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that one move works with."""

    view: View
    around: Around
    record: Record

    def scopes(self) -> tuple[Scope, ...]:
        """Return the scopes whose limits the repair falls under."""
        return self.around.above(self.view.repair, self.view.node)


def _only(scope: str, node: str) -> Scope:
    """Return a scope of which the cache knows no node yet; this one is in it all the same."""
    return Scope(name=scope, members=frozenset({node}), out=frozenset())
