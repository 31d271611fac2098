"""What stops new disruption when too much is amiss at once, and how it is let go on again.

A breaker that suspects the world stops disruption; one that suspects nodemend itself stops cordons
too. Whatever gives something back goes on. After a while one node at a time is tried; when nothing
is amiss any more, all goes on by what is true then: nothing that was refused is kept.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import (
    Breaker,
    BreakerState,
    Handling,
    RepairLedger,
)
from nodehealth.repair import NodeRepair
from remediator.decide import novelties, trips
from remediator.decide.counting import Scope
from remediator.decide.limits import Refused, Why
from remediator.decide.trips import Crowd, Kind, Trip
from remediator.rules.breaking import Breaking
from remediator.rules.policy import CLUSTER, is_domain

_POOLED: Final = frozenset(
    {Kind.UNHEALTHY_POOL, Kind.BURST, Kind.FAILED_REPLACEMENTS, Kind.UNMENDED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the one who asks knows of the fleet at this moment."""

    trips: Mapping[str, Trip] = field(default_factory=dict)
    rule_of: Callable[[str], str] = lambda _: ""
    """By node, the rule of its open repair; nothing where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who asks to be let through."""

    repair: NodeRepair
    node: Node | None
    scopes: tuple[Scope, ...]
    cordons: bool
    """Whether it asks for no more than a cordon."""
    steps: bool
    """Whether it has its slot, and asks for the next step."""

    @property
    def name(self) -> str:
        """Name the node."""
        return self.repair.spec.target.node

    def pools(self) -> frozenset[str]:
        """Name the pools that it belongs to."""
        now = {each.name for each in self.scopes if each.name != CLUSTER}
        return frozenset({*(each for each in now if not is_domain(each)), self._frozen()})

    def _frozen(self) -> str:
        return self.repair.spec.target.pool


def refusal(
    subject: Subject, ledger: RepairLedger, seen: Seen, breaking: Breaking, now: datetime
) -> Refused | None:
    """Say which breaker stops somebody, by the ledger, and by what was not written there yet."""
    listed, handled = ledger.status.breakers, ledger.spec.breakers
    for key in (*listed, *(seen.trips.keys() - listed.keys())):
        if handled.get(key) is Handling.IGNORE or not _stops(key, subject):
            continue
        breaker = listed.get(key)
        if breaker is None:
            return _refused(key, seen.trips[key].reason)
        if not _lets_through(breaker, subject):
            return _refused(key, _said(breaker))
    return _too_many(subject, ledger, seen, breaking, now)


def claimed(ledger: RepairLedger, subject: Subject) -> RepairLedger:
    """Have somebody who is let through be the one that half-open breakers try."""
    name = subject.name
    return changed(
        ledger,
        {
            key: structs.replace(each, probing=name)
            if each.state is BreakerState.HALF_OPEN and not each.probing and _stops(key, subject)
            else each
            for key, each in ledger.status.breakers.items()
        },
    )


def given_back(ledger: RepairLedger, node: str) -> RepairLedger:
    """Let half-open breakers try the next node: this one is over, unless it is held anew."""
    if node in ledger.status.slots or node in ledger.status.cordons:
        return ledger
    return changed(
        ledger,
        {
            key: structs.replace(each, probing="") if each.probing == node else each
            for key, each in ledger.status.breakers.items()
        },
    )


def failed(ledger: RepairLedger, node: str, now: datetime) -> RepairLedger:
    """Open breakers again that tried a node whose repair came to need a person."""
    return changed(
        ledger,
        {
            key: structs.replace(each, state=BreakerState.OPEN, since=now, probing="")
            if each.probing == node
            else each
            for key, each in ledger.status.breakers.items()
        },
    )


def changed(ledger: RepairLedger, breakers: Mapping[str, Breaker]) -> RepairLedger:
    """Have a ledger say how breakers are; the ledger itself where it says so already."""
    if breakers == ledger.status.breakers:
        return ledger
    return structs.replace(ledger, status=structs.replace(ledger.status, breakers=breakers))


def let_through(ledger: RepairLedger) -> Mapping[str, tuple[BreakerState, str]]:
    """Return of each breaker what decides whom it lets through: the rest is for people."""
    return {key: (each.state, each.probing) for key, each in ledger.status.breakers.items()}


def stops_cordons(key: str) -> bool:
    """Say whether a breaker suspects nodemend itself."""
    return key.startswith(f"{Kind.AFTER_CHANGE}/")


def stops_steps(key: str) -> bool:
    """Say whether a breaker stops what has begun: what gives nodes back mends what lacks them."""
    return not key.startswith(f"{Kind.PENDING_PODS}/")


def pool(key: str) -> str:
    """Name the pool that a breaker is about; nothing where it is about more, or a zone."""
    kind, _, scope = key.partition("/")
    about = kind in _POOLED or stops_cordons(key)
    return scope.partition("/")[0] if about else ""


def is_about(key: str, pools: Collection[str], zone: str, rule: str = "") -> bool:
    """Say whether a breaker is about a node of these pools and this zone, or about one rule there.

    Args:
        key: The breaker.
        pools: The pools that the node belongs to.
        zone: Its zone; a machine whose zone is not known may be in any.
        rule: The rule that is asked about; without one, any.
    """
    kind, _, scope = key.partition("/")
    if kind == Kind.UNHEALTHY_ZONE:
        return not zone or scope == zone
    mine = not pool(key) or pool(key) in pools
    return mine and (not stops_cordons(key) or rule in {"", scope.partition("/")[2]})


def _stops(key: str, subject: Subject) -> bool:
    """Say whether a breaker, were it open, would stop somebody."""
    if subject.cordons and not stops_cordons(key):
        return False
    if subject.steps and not stops_steps(key):
        return False
    node = subject.node
    zone = node.metadata.labels.get(keys.ZONE_LABEL, "-") if node is not None else ""
    rule = subject.repair.spec.rule if subject.cordons else ""
    return is_about(key, subject.pools(), zone, rule)


def _lets_through(breaker: Breaker, subject: Subject) -> bool:
    if breaker.state is BreakerState.OPEN:
        return False
    free = not breaker.probing and not subject.steps
    return free or breaker.probing == subject.name


def _said(breaker: Breaker) -> str:
    if breaker.state is BreakerState.OPEN:
        return breaker.reason
    tried = (
        f"{breaker.probing} is tried first" if breaker.probing else "one node at a time is tried"
    )
    return f"{breaker.reason}; {tried}"


def _refused(key: str, why: str) -> Refused:
    return Refused(why=Why.BREAKER_OPEN, message=f"the breaker {key} is open: {why}")


def _too_many(
    subject: Subject, ledger: RepairLedger, seen: Seen, breaking: Breaking, now: datetime
) -> Refused | None:
    """Stop at the share of a pool that one rule may hold on after rules changed, to the node."""
    manners, spec = breaking.after_change, subject.repair.spec
    if not subject.cordons or manners is None:
        return None
    lately = novelties.cordoned_since(ledger, spec.rules_digest, manners.within, now)
    for scope in subject.scopes:
        key = trips.name(Kind.AFTER_CHANGE, f"{scope.name}/{spec.rule}")
        if scope.name not in subject.pools() or key in {
            *ledger.status.breakers,
            *(each for each, word in ledger.spec.breakers.items() if word is Handling.IGNORE),
        }:
            continue
        mine = {each for each in lately if each in scope.members}
        same = {each for each in mine if seen.rule_of(each) in {"", spec.rule}}
        crowd = Crowd(all=len(scope.members), amiss=len(same | {subject.name}))
        if trips.is_much(crowd, manners.share):
            reason = f"{spec.rule} began to hold on {crowd.amiss} of {crowd.all} nodes of pool "
            return _refused(key, f"{reason}{scope.name} after the rules changed")
    return None
