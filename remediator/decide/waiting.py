"""Who waits for a slot, who of them may ask for one next, and why the others wait."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from nodehealth.ledger import RepairLedger
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.decide import counting, joined, limits, plan
from remediator.decide.counting import Scope
from remediator.decide.joined import SEVERITIES
from remediator.decide.limits import Why
from remediator.decide.moves import Reason
from remediator.decide.scopes import Scopes
from remediator.rules.policy import CLUSTER, Policy

_HELD_BACK = frozenset(
    {Reason.PAUSED, Reason.NOT_APPROVED, Reason.OUTSIDE_WINDOW, Reason.BREAKER_OPEN}
)
"""Reasons to wait that people have set, or what is amiss with the fleet."""
_HELD_UP = frozenset({Reason.EVIDENCE_MISSING, Reason.MODE, Reason.HELD_BY_OTHERS}) | _HELD_BACK
"""Reasons to wait that a slot would not help against."""
_OVERTAKEN = frozenset(
    {Why.FOREIGN_MAINTENANCE, Why.CONTROL_PLANE, Why.LAST_REPLICA, Why.GANG_LIMIT}
)
"""Reasons that lie in one node alone: to mend the others may be what it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whether a waiting repair may ask for a slot now."""

    granted: bool
    message: str = ""


def turn(
    repair: NodeRepair,
    repairs: Iterable[NodeRepair],
    ledger: RepairLedger,
    scopes: Scopes,
    policy: Policy,
    now: datetime,
) -> Turn:
    """Let the worst fault go first, then the one that has waited longest.

    Only those count as ahead whose own scopes have room: a full one never holds up another one.
    Neither does one whose rate lets nothing begin yet; as soon as it does, its turn comes first.
    """
    free = _free(ledger, scopes, policy)
    names = (*places(repair, scopes), CLUSTER)
    room = {name: free(name) for name in names if free(name) > 0}
    if not room:
        return Turn(granted=True)
    mine = rank(repair)
    before = [(each, places(each, scopes)) for each in repairs if _is_ahead(each, mine)]
    dry = cache(lambda name: name not in names and limits.is_dry(ledger, name, policy, now))
    able = [
        (each, where)
        for each, where in before
        if all(free(name) > 0 and not dry(name) for name in where)
    ]
    for name, most in room.items():
        rivals = [each for each, where in able if name in {CLUSTER, *where}]
        if most <= len(rivals):
            first = min(rivals, key=rank).spec.target.node
            return Turn(granted=False, message=f"{first} has waited longer for a disruption slot")
    return Turn(granted=True)


def places(repair: NodeRepair, scopes: Scopes, present: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Name the scopes whose limits a repair falls under besides the cluster's.

    Those that the repair was opened in count too while they have nodes: a pool that a policy has no
    more, or that lost them all, has nothing left to protect.

    Args:
        repair: The repair.
        scopes: Every scope by name, as the cache has them.
        present: The pool of its node as just read, and its domains; without it the cache is asked.
    """
    target = repair.spec.target
    frozen = (target.pool, *target.domains)
    now = present or scopes.places(target.node) or frozen
    return (*now, *(each for each in frozen if each not in now and _has_nodes(scopes.get(each))))


def ahead(repair: NodeRepair, repairs: Iterable[NodeRepair], scopes: Scopes) -> int:
    """Count the repairs of the same pool that wait for the same as this one and go before it."""
    mine, pool, stage = rank(repair), places(repair, scopes)[0], _stage(repair)
    return sum(
        _stage(each) is stage and rank(each) < mine and places(each, scopes)[0] == pool
        for each in repairs
        if each.spec.mode is Mode.ENFORCE and each.status.reason not in _HELD_UP | _OVERTAKEN
    )


def heirs(
    repairs: Iterable[NodeRepair],
    ledger: RepairLedger,
    scopes: Scopes,
    policy: Policy,
    now: datetime,
) -> list[NodeRepair]:
    """Return those of the queue whom a slot that was given back may help: there is room.

    Those come last who wait for something else that lies in their own node, or for a rate.
    """
    free = _free(ledger, scopes, policy)
    dry = cache(lambda name: limits.is_dry(ledger, name, policy, now))
    queued = [(each, places(each, scopes)) for each in queue(repairs)]
    able = [(each, where) for each, where in queued if all(free(name) > 0 for name in where)]
    able.sort(key=lambda pair: _is_overtaken(pair[0]) or any(map(dry, pair[1])))
    return [each for each, _ in able]


def held_back(repairs: Iterable[NodeRepair]) -> list[NodeRepair]:
    """Return the repairs that wait for people or a breaker to let them go on, or for their time."""
    return [each for each in repairs if each.status.reason in _HELD_BACK]


def queue(repairs: Iterable[NodeRepair]) -> list[NodeRepair]:
    """Return the repairs that wait for a slot, the next one first."""
    return sorted((each for each in repairs if _waits(each)), key=rank)


def has_remedy(repair: NodeRepair) -> bool:
    """Say whether anything is tried at all, before a person is called."""
    spared = joined.condemned(repair) is None or repair.status.tries > 0
    return spared and bool(repair.spec.ladder)


def rank(repair: NodeRepair) -> tuple[int, float, str]:
    """Order repairs: the worst fault first, then the one that has waited longest."""
    return SEVERITIES.index(joined.severity(repair)), *plan.age(repair)


def _stage(repair: NodeRepair) -> Phase:
    phase = repair.status.phase
    return Phase.WAITING if phase is Phase.CORDONED else phase


def _is_ahead(repair: NodeRepair, mine: tuple[int, float, str]) -> bool:
    return _waits(repair) and not _is_overtaken(repair) and rank(repair) < mine


def _is_overtaken(repair: NodeRepair) -> bool:
    return repair.status.reason in _OVERTAKEN


def _waits(repair: NodeRepair) -> bool:
    status = repair.status
    may = repair.spec.mode is Mode.ENFORCE and status.reason not in _HELD_UP
    may = may and has_remedy(repair) and status.closing is None
    return may and status.phase in {Phase.CORDONED, Phase.WAITING}


def _free(ledger: RepairLedger, scopes: Scopes, policy: Policy) -> Callable[[str], int]:
    """Return what counts the free slots of a scope, each once."""

    @cache
    def free(name: str) -> int:
        return counting.free_slots(ledger, scopes[name], policy) if name in scopes else 0

    return free


def _has_nodes(scope: Scope | None) -> bool:
    return scope is not None and bool(scope.members)
