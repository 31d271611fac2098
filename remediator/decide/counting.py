"""How much of a scope's limits is used: what is counted, and what a limit comes to."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, Self, TypeAlias

from nodehealth import quantities
from nodehealth.ledger import RepairLedger, Slot
from remediator.rules.policy import CLUSTER, CONTROL_PLANE, Limit, Policy, is_domain

_MANY: Final = 1_000_000
"""So many nodes that no share of them rounds down to nothing unless it is nothing."""

Bound: TypeAlias = Callable[[Limit], tuple[str | int, ...]]
"""Which of a scope's two limits is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The nodes that one limit counts."""

    name: str
    members: AbstractSet[str]
    out: AbstractSet[str]
    """Members that are unavailable for any reason: not ready, cordoned by anyone, or leaving."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Members on which others are at work, and who."""
    parts: Mapping[str, "Scope"] = field(default_factory=dict)
    """Of the cluster, its pools among other scopes."""

    def seeing(self, node: str, *, out: bool) -> Self:
        """Return the scope with what is known of one node put right."""
        return replace(self, out=(self.out | {node}) if out else (self.out - {node}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a scope's two limits is used."""

    scope: str
    nodes: int
    out: int
    """How many are unavailable for any reason, those that we hold included."""
    out_limit: int
    """At how many that are out no available node is cordoned any more."""
    disrupted: int
    disrupted_limit: int


def cordoned(limit: Limit) -> tuple[str | int, ...]:
    """Return how many may be out, as shares and counts that all hold."""
    return limit.cordoned


def disrupted(limit: Limit) -> tuple[str | int, ...]:
    """Return how many may be disrupted, likewise."""
    return limit.disrupted


def free_slots(ledger: RepairLedger, scope: Scope, policy: Policy) -> int:
    """Count the disruptions that a scope still has room for."""
    return most(policy, ledger, scope, disrupted) - len(slots(ledger, scope))


def usage(ledger: RepairLedger, scope: Scope, policy: Policy) -> Usage:
    """Say how much of a scope's limits is used."""
    return Usage(
        scope=scope.name,
        nodes=len(scope.members),
        out=out(ledger, scope, policy),
        out_limit=most(policy, ledger, scope, cordoned),
        disrupted=len(slots(ledger, scope)),
        disrupted_limit=most(policy, ledger, scope, disrupted),
    )


def out(ledger: RepairLedger, scope: Scope, policy: Policy) -> int:
    """Count the nodes of a scope that are unavailable for any reason, or were never there."""
    return both(scope.out, held(ledger, scope)) + missing(ledger, scope, policy)


def missing(ledger: RepairLedger, scope: Scope, policy: Policy) -> int:
    """Count the nodes that the pools of a scope lack; one that is away to be replaced is none."""
    if scope.name == CLUSTER:
        pools = (each.name for each in policy.pools if each.desired)
        nobody = frozenset[str]()
        parts = (scope.parts.get(n, Scope(name=n, members=nobody, out=nobody)) for n in pools)
        return sum(missing(ledger, each, policy) for each in parts)
    wanted = next((each.desired for each in policy.pools if each.name == scope.name), 0)
    return max(0, wanted - _here(ledger, scope)) if wanted else 0


def slots(ledger: RepairLedger, scope: Scope) -> Mapping[str, Slot]:
    """Return the slots that take room in a scope, of nodes that are away too."""
    everywhere = ledger.status.slots
    if scope.name == CLUSTER:
        return everywhere
    return {
        name: slot
        for name, slot in everywhere.items()
        if slot.pool == scope.name or scope.name in slot.domains or name in scope.members
    }


def held(ledger: RepairLedger, scope: Scope) -> AbstractSet[str]:
    """Nodes that we hold in a scope, whatever the cache shows; one that is away counts too."""
    cordons = ledger.status.cordons.keys()
    if scope.name == CLUSTER:
        return cordons | ledger.status.slots.keys()
    return {name for name in cordons if name in scope.members} | slots(ledger, scope).keys()


def _size(ledger: RepairLedger, scope: Scope, policy: Policy) -> int:
    """Count the nodes that a scope has, or ought to have."""
    return _here(ledger, scope) + missing(ledger, scope, policy)


def _here(ledger: RepairLedger, scope: Scope) -> int:
    """Count the nodes of a scope; one that is away to be replaced still belongs to it."""
    return both(scope.members, slots(ledger, scope).keys())


def both(many: AbstractSet[str], few: AbstractSet[str]) -> int:
    """Count what is in either set without a copy of the larger one: a scope may be the fleet."""
    return len(many) + sum(name not in many for name in few)


def most(
    policy: Policy,
    ledger: RepairLedger,
    scope: Scope,
    bound: Bound,
) -> int:
    """Turn a limit into a count."""
    size = _size(ledger, scope, policy)
    limit = policy.limit_of(scope.name)
    counts = {share: quantities.share(share, size) for share in bound(limit)}
    least = min(counts.values())
    if least or any(not count and _is_none(share) for share, count in counts.items()):
        return least
    return limit.small_pool


def _is_none(share: str | int) -> bool:
    """Say whether a share is meant to be nothing, and is not just rounded down to it."""
    return not quantities.share(share, _MANY)


def spoken(policy: Policy, ledger: RepairLedger, scope: Scope, bound: Bound) -> str:
    """Say a limit; one that rounding made nothing comes with what to do about it."""
    count, shares = most(policy, ledger, scope, bound), bound(policy.limit_of(scope.name))
    if count or any(_is_none(share) for share in shares):
        return f"the limit is {count}"
    size = _size(ledger, scope, policy)
    return f"the limit of its {size} nodes rounds down to 0; smallPool: 1 would allow one"


def title(scope: str) -> str:
    """Name a scope in a sentence."""
    if scope == CONTROL_PLANE:
        return "the control plane"
    if is_domain(scope):
        return scope
    return "the cluster" if scope == CLUSTER else f"pool {scope}"
