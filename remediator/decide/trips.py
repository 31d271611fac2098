"""What is amiss with the fleet as a whole: too much at once to believe in single sick nodes.

It is judged from what is known at this moment alone, so nothing of it can be missed by whoever was
not there. Of a few nodes nothing can be said: at least three must be amiss, whatever the share.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from nodehealth import quantities
from nodehealth.ledger import Change
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.decide import novelties, outcomes
from remediator.decide.moves import Reason
from remediator.rules.breaking import LEAST, Breaking, Burst, PendingPods
from remediator.rules.policy import CLUSTER

_FEWEST_REQUESTS: Final = 10
"""How many requests must have failed before it says anything of the API server."""


class Kind(StrEnum):
    """What can be amiss."""

    UNHEALTHY_POOL = "unhealthy-pool"
    UNHEALTHY_ZONE = "unhealthy-zone"
    BURST = "burst"
    SILENT_AGENTS = "silent-agents"
    SILENT_NODES = "silent-nodes"
    API_ERRORS = "api-errors"
    FAILED_REPLACEMENTS = "failed-replacements"
    UNMENDED = "unmended"
    PENDING_PODS = "pending-pods"
    AFTER_CHANGE = "after-change"
    """The one that suspects nodemend itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One thing that is amiss now."""

    seen: int
    """How much of it there is."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How much there is of one thing that can be amiss."""

    seen: int
    opens_at: int
    """From how much on it is too much."""
    of: int = 0
    """Of how many; 0 where that says nothing."""
    reason: str
    """What is amiss, if it is too much."""

    @property
    def is_much(self) -> bool:
        """Say whether it is too much."""
        return self.seen >= self.opens_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many there are, and how many of them are amiss."""

    all: int = 0
    amiss: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known of the fleet; all times by the API server's clock."""

    pools: Mapping[str, Crowd] = field(default_factory=dict)
    """Nodes, and those that are out or have a confirmed fault."""
    zones: Mapping[str, Crowd] = field(default_factory=dict)
    agents: Crowd = Crowd()
    """Agents that reported once on nodes that are Ready, and those that are silent now."""
    kubelets: Crowd = Crowd()
    """Nodes, and those that are not Ready."""
    requests: Crowd = Crowd()
    """Our requests of the last minute, and those that failed."""
    pods: Crowd = Crowd()
    """Pods that we evicted lately, and those that wait in their place and fit nowhere."""
    repairs: tuple[NodeRepair, ...] = ()
    """All of them, ended ones too."""
    versions: Callable[[str], tuple[str, ...]] = lambda _: ()
    """By node, what runs on it, as changes are named."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """When what was first seen, by the ledger."""


def found(world: World, breaking: Breaking, now: datetime) -> dict[str, Trip]:
    """Return all that is amiss, by what and where."""
    return {
        key: Trip(seen=each.seen, reason=each.reason)
        for key, each in measured(world, breaking, now).items()
        if each.is_much
    }


def measured(world: World, breaking: Breaking, now: datetime) -> dict[str, Measure]:
    """Measure all that can be amiss, by what and where; what never opens is not measured."""
    repairs = [each for each in world.repairs if each.spec.mode is Mode.ENFORCE]
    return {
        **_shares(Kind.UNHEALTHY_POOL, world.pools, breaking.unhealthy_pool, "pool"),
        **_shares(Kind.UNHEALTHY_ZONE, world.zones, breaking.unhealthy_zone, "zone"),
        **_whole(world, breaking),
        **(dict(_bursts(world, repairs, breaking.burst, now)) if breaking.burst else {}),
        **(_pending(world.pods, breaking.pending_pods) if breaking.pending_pods else {}),
        **dict(_failures(world, repairs, breaking, now)),
        **_after_changes(world, repairs, breaking, now),
    }


def name(kind: Kind, scope: str) -> str:
    """Name what is amiss somewhere."""
    return f"{kind}/{scope}"


def is_much(crowd: Crowd, share: str) -> bool:
    """Say whether more are amiss than a share of all, and more than a few."""
    return crowd.amiss >= _least(crowd.all, share)


def _least(everybody: int, share: str) -> int:
    return max(LEAST, quantities.share(share, everybody) + 1)


def _shares(kind: Kind, crowds: Mapping[str, Crowd], share: str, noun: str) -> dict[str, Measure]:
    return {
        name(kind, scope): _share(
            crowd, share, f"nodes of {noun} {scope} are out of service or sick"
        )
        for scope, crowd in crowds.items()
        if share
    }


def _share(crowd: Crowd, share: str, what: str, least: int = LEAST) -> Measure:
    return Measure(
        seen=crowd.amiss,
        opens_at=max(least, _least(crowd.all, share)),
        of=crowd.all,
        reason=f"{crowd.amiss} of {crowd.all} {what}, more than {share}",
    )


def _whole(world: World, breaking: Breaking) -> dict[str, Measure]:
    few = _FEWEST_REQUESTS
    asked = (
        (Kind.SILENT_AGENTS, world.agents, breaking.silent_agents, "agents are silent", LEAST),
        (Kind.SILENT_NODES, world.kubelets, breaking.silent_nodes, "nodes are not Ready", LEAST),
        (Kind.API_ERRORS, world.requests, breaking.api_errors, "requests of a minute failed", few),
    )
    return {
        name(kind, CLUSTER): _share(crowd, share, what, least)
        for kind, crowd, share, what, least in asked
        if share
    }


def _bursts(
    world: World, repairs: Iterable[NodeRepair], burst: Burst, now: datetime
) -> Iterator[tuple[str, Measure]]:
    since = now - burst.within
    fallen = {
        (each.spec.target.pool, each.spec.target.node)
        for each in repairs
        if (_created(each) or since) > since
    }
    begun = Counter(pool for pool, _ in fallen)
    for pool in world.pools.keys() | begun.keys():
        count, nodes = begun[pool], world.pools.get(pool, Crowd()).all
        spent = quantities.spoken(burst.within)
        reason = f"{count} nodes of pool {pool} fell sick within {spent}"
        opens_at = burst_size(nodes, burst)
        yield name(Kind.BURST, pool), Measure(seen=count, opens_at=opens_at, reason=reason)


def burst_size(nodes: int, burst: Burst) -> int:
    """Say how many nodes of a pool fall sick in a burst: half of a small one, a share of a large.

    Fewer than three never do.
    """
    many = max(burst.repairs, quantities.share(burst.share, nodes))
    return max(LEAST, min(many, math.ceil(nodes / 2)))


def _pending(pods: Crowd, pending: PendingPods) -> dict[str, Measure]:
    spent = quantities.spoken(pending.within)
    measure = Measure(
        seen=pods.amiss,
        opens_at=max(pending.pods, quantities.share(pending.share, pods.all) + 1),
        of=pods.all,
        reason=f"{pods.amiss} pods fit nowhere that came in place of the {pods.all} that were "
        f"evicted within {spent}",
    )
    return {name(Kind.PENDING_PODS, CLUSTER): measure}


def _failures(
    world: World, repairs: Iterable[NodeRepair], breaking: Breaking, now: datetime
) -> Iterator[tuple[str, Measure]]:
    ended = outcomes.by_pool(repairs)
    most, unmended = breaking.failed_replacements, breaking.unmended
    for pool in world.pools.keys() | ended.keys():
        results = ended.get(pool, [])
        if most:
            row = outcomes.in_a_row([each for each in results if each.replaced])
            reason = f"the last {len(row)} replacements in pool {pool} failed"
            yield (
                name(Kind.FAILED_REPLACEMENTS, pool),
                Measure(seen=len(row), opens_at=most, reason=reason),
            )
        if unmended is not None:
            since = now - unmended.within
            row = [each for each in outcomes.in_a_row(results) if each.at > since]
            yield name(Kind.UNMENDED, pool), _unmended(pool, row, unmended.repairs)


def _unmended(pool: str, row: Sequence[outcomes.Outcome], most: int) -> Measure:
    nodes = ", ".join(each.node for each in row[:3])
    reason = f"the last {len(row)} repairs in pool {pool} did not mend their nodes: {nodes}"
    return Measure(seen=len(row), opens_at=most, reason=reason)


def _after_changes(
    world: World, repairs: Iterable[NodeRepair], breaking: Breaking, now: datetime
) -> dict[str, Measure]:
    manners, found = breaking.after_change, dict[str, Measure]()
    if manners is None or not world.changes:
        return found
    standing = [each for each in repairs if is_standing(each)]
    blamed = novelties.blamed(standing, world.changes, world.versions, manners.within, now)
    for (pool, rule, change), count in sorted(blamed.items(), key=lambda each: each[1]):
        crowd = Crowd(all=world.pools.get(pool, Crowd()).all, amiss=count)
        reason = (
            f"since {change} was first seen, {rule} began to hold on {count} of {crowd.all} "
            f"nodes of pool {pool}, more than {manners.share}"
        )
        found[name(Kind.AFTER_CHANGE, f"{pool}/{rule}")] = Measure(
            seen=count, opens_at=_least(crowd.all, manners.share), of=crowd.all, reason=reason
        )
    return found


def is_standing(repair: NodeRepair) -> bool:
    """Say whether a repair goes on and no person has it in hand."""
    return repair.status.phase not in {Phase.RECOVERED, Phase.PARKED, Phase.NEEDS_HUMAN}


def is_barred(repair: NodeRepair) -> bool:
    """Say whether a breaker stops what a repair wants next: its slot, or the step after that."""
    return repair.status.reason == Reason.BREAKER_OPEN


def is_trying(repair: NodeRepair) -> bool:
    """Say whether a repair goes on by itself, or would if no breaker stopped it.

    One with its slot whose next step people hold back may stand still for days.
    """
    status = repair.status
    held = status.held_since is not None or status.reason == Reason.MODE
    return is_standing(repair) and (not held or is_barred(repair))


def _created(repair: NodeRepair) -> datetime | None:
    return repair.metadata.creation_timestamp


JOINING: Final = timedelta(minutes=10)
"""How long a new node may take to be Ready: until then it is no member of anything."""
