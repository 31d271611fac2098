"""Which scopes there are, and in which of them each node is."""

from collections.abc import Iterator, Mapping
from typing import Self

from nodehealth.ledger import RepairLedger
from remediator.decide import counting
from remediator.decide.counting import Scope, Usage
from remediator.rules.policy import CLUSTER, Policy, is_domain


class Scopes(Mapping[str, Scope]):
    """Every pool, every domain and the cluster by name; that a node is in some costs no search.

    Args:
        scopes: Each scope by name.
        places: By node, the pool that it is in, and then its domains.
    """

    def __init__(
        self,
        scopes: Mapping[str, Scope] | None = None,
        places: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._scopes, self._places = scopes or {}, places or {}

    @classmethod
    def of(cls, scopes: Mapping[str, Scope]) -> Self:
        """Find the places of nodes by the members of scopes, which stand in order."""
        places = dict[str, tuple[str, ...]]()
        for name, scope in scopes.items():
            for node in scope.members if name != CLUSTER else ():
                places[node] = (*places.get(node, ()), name)
        return cls(scopes, places)

    def places(self, node: str) -> tuple[str, ...]:
        """Name the pool that a node is in, and then its domains; one that is away is in none."""
        return self._places.get(node, ())

    def __getitem__(self, name: str) -> Scope:
        """Return a scope."""
        return self._scopes[name]

    def __iter__(self) -> Iterator[str]:
        """Name all scopes."""
        return iter(self._scopes)

    def __len__(self) -> int:
        """Count the scopes."""
        return len(self._scopes)


def full_domains(ledger: RepairLedger, scopes: Scopes, policy: Policy) -> list[Usage]:
    """Return the domains in which we disrupt as many nodes as their limit allows.

    Only those are looked at in which we are at work: there may be thousands of others.
    """
    busy = {
        name
        for node, slot in ledger.status.slots.items()
        for name in (*slot.domains, *scopes.places(node))
        if is_domain(name) and name in scopes
    }
    used = (counting.usage(ledger, scopes[name], policy) for name in sorted(busy))
    return [each for each in used if each.disrupted >= each.disrupted_limit]
