"""Which sick nodes get a repair, which repair may ask for a slot next, and why the others wait."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from nodehealth.keys import CONTROL_PLANE_LABEL, INSTANCE_TYPE_LABEL
from nodehealth.kube.objects import Metadata, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    ENDED,
    BurnIn,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairSpec,
    Phase,
    Target,
)
from remediator.decide import joined, limits, parts, pauses, remedies
from remediator.decide.answers import Truth
from remediator.decide.joined import SEVERITIES
from remediator.decide.judge import Judgement, Mark
from remediator.decide.limits import Scope, Why
from remediator.decide.moves import Reason
from remediator.decide.scopes import Scopes
from remediator.rules.policy import CLUSTER, Policy
from remediator.rules.rule import Rule, RuleSet

KEPT: Final = 5
"""How many ended repairs of a node are kept to look back at."""
KEPT_FOR: Final = timedelta(days=7)
"""How long they are kept when the node is gone: many never come back under their name."""
CROWD: Final = 2000
"""How many repairs may be kept before those of nodes that are gone are forgotten earlier."""
_HELD_BACK = frozenset(
    {Reason.PAUSED, Reason.NOT_APPROVED, Reason.OUTSIDE_WINDOW, Reason.BREAKER_OPEN}
)
"""Reasons to wait that people have set, or what is amiss with the fleet."""
SETTLES: Final = timedelta(minutes=2)
"""How long replicas may take to have the same rules."""
_HELD_UP = frozenset({Reason.EVIDENCE_MISSING, Reason.MODE}) | _HELD_BACK
"""Reasons to wait that a slot would not help against."""
_OVERTAKEN = frozenset(
    {Why.FOREIGN_MAINTENANCE, Why.CONTROL_PLANE, Why.LAST_REPLICA, Why.GANG_LIMIT}
)
"""Reasons that lie in one node alone: to mend the others may be what it waits for."""
_STRICTNESS = (Mode.OFF, Mode.OBSERVE, Mode.ENFORCE)


def begin(
    node: Node, judgement: Judgement, repairs: Iterable[NodeRepair], rules: RuleSet, policy: Policy
) -> NodeRepair | None:
    """Open a repair for a node with a fault, unless it has an open one or no rule may act."""
    past = [each for each in repairs if each.spec.target.node == node.metadata.name]
    if any(is_open(each) for each in past) or is_spared(node, policy):
        return None
    allowed = _mendable(judgement, rules, policy)
    if not allowed:
        return None
    worst = min(allowed, key=lambda rule: _urgency(rule, policy))
    mark = judgement.marks[worst.name]
    stem = f"{node.metadata.name[:200]}-{node.metadata.uid[:8]}-"
    name = f"{stem}{1 + max((_number(each, stem) for each in past), default=0)}"
    spec = NodeRepairSpec(
        target=target(node, policy),
        rule=worst.name,
        rules_digest=rules.digest,
        severity=worst.severity,
        mode=mode(worst, policy),
        ladder=worst.ladder,
        needs_approval=worst.needs_approval,
        verify_seconds=round(worst.verify.total_seconds()),
        burn_in=burn_in(worst, policy),
        on_recovery=worst.on_recovery,
        evidence=_evidence(mark),
        parts=_parts(mark),
    )
    return NodeRepair(metadata=Metadata(name=name), spec=spec)


def burn_in(rule: Rule, policy: Policy) -> BurnIn | None:
    """Return what has to pass on the mended node: what the rule says, or else the policy."""
    wanted = rule.burn_in or policy.burn_in
    if wanted is None or not rule.ladder:
        return None
    seconds = max(1, round(wanted.deadline.total_seconds()))
    return BurnIn(template=wanted.template, deadline_seconds=seconds)


def settles_until(repair: NodeRepair, past: Iterable[NodeRepair], now: datetime) -> datetime | None:
    """Say until when a repair is not begun because its rule was gone a moment ago.

    Replicas take an edit of the rules in one after the other: one that still has the old ones would
    begin what another one ends, again and again.
    """
    gone = (
        parts.ended_at(each, now) + SETTLES
        for each in past
        if each.spec.rule == repair.spec.rule
        and each.status.reason == Reason.RULE_GONE
        and not is_open(each)
    )
    until = max(gone, default=now)
    return until if until > now else None


def eclipsing(
    repair: NodeRepair, judgement: Judgement, rules: RuleSet, policy: Policy
) -> Rule | None:
    """Find a rule that may act on the node of a repair that may only observe, and would at once.

    Only what a repair is begun for eclipses one: else whatever observes would end and begin again
    without end.
    """
    if repair.spec.mode is Mode.ENFORCE:
        return None
    able = _mendable(judgement, rules, policy)
    return next((rule for rule in able if mode(rule, policy) is Mode.ENFORCE), None)


def joining(
    repair: NodeRepair, judgement: Judgement, rules: RuleSet, policy: Policy, now: datetime
) -> tuple[Joined, ...]:
    """Return the faults of a node that hold, have a remedy, and are not of its open repair yet."""
    known = {repair.spec.rule, *(each.rule for each in repair.status.faults)}
    able = (rule for rule in _mendable(judgement, rules, policy) if rule.name not in known)
    return tuple(_joined(rule, judgement.marks[rule.name], policy, now) for rule in able)


def allowed(rule: str, rules: RuleSet, policy: Policy) -> Mode:
    """Say how far a fault that joined a repair may go now; one whose rule is gone, nowhere."""
    known = rules.by_name.get(rule)
    return mode(known, policy) if known is not None else Mode.OFF


def holding(judgement: Judgement, rules: RuleSet, policy: Policy) -> list[Rule]:
    """Return the rules that hold and are not off, the longest-standing fault first."""
    wanted = [rules.by_name[name] for name in judgement.faults() if name in rules.by_name]
    return [rule for rule in wanted if mode(rule, policy) is not Mode.OFF]


def changed(before: RuleSet, after: RuleSet) -> frozenset[str]:
    """Name the rules that ask something else now: what was found by them counts no more."""
    return frozenset(
        rule.name
        for rule in after.rules
        if (was := before.by_name.get(rule.name)) is not None
        and (was.questions, was.combine) != (rule.questions, rule.combine)
    )


def is_spared(node: Node, policy: Policy) -> bool:
    """Say whether no repair is opened for a node: people look after it."""
    brain = CONTROL_PLANE_LABEL in node.metadata.labels
    return (brain and not policy.control_plane) or bool(pauses.skipped(node))


def outdated(past: Iterable[NodeRepair], policy: Policy, now: datetime) -> list[NodeRepair]:
    """Return the ended repairs of a node that nobody needs any more, the oldest first.

    Those that count against a part of it are kept besides the last ones, as many again at most.
    """
    ended = sorted((each for each in past if not is_open(each)), key=_age)
    old = ended[: max(0, len(ended) - KEPT)]
    counting = [each for each in old if parts.bears_witness(each, policy.condemned, now)]
    return [each for each in old if each not in counting[-KEPT:]]


def kept_until(
    repair: NodeRepair, policy: Policy, now: datetime, *, crowded: bool = False
) -> datetime:
    """Say how long an ended repair is kept to look back at when its node is gone.

    Args:
        repair: What has ended.
        policy: How long it counts against its parts, which may come back under another name.
        now: The present time.
        crowded: Whether so many are kept that those have to do which are young.
    """
    ended = parts.ended_at(repair, now)
    counts = not crowded and parts.bears_witness(repair, policy.condemned, now)
    return ended + max(KEPT_FOR, policy.condemned.within if counts else KEPT_FOR)


def is_open(repair: NodeRepair) -> bool:
    """Say whether something is still to be done, held or undone."""
    return repair.status.phase not in ENDED


def may_hold(repair: NodeRepair) -> bool:
    """Say whether a node may be held for a repair: one that is parked let go of it before."""
    return is_open(repair) and repair.status.phase is not Phase.PARKED


def mode(rule: Rule, policy: Policy) -> Mode:
    """Return the stricter of the rule's and the policy's mode."""
    return stricter(rule.mode, policy.mode)


def stricter(one: Mode, other: Mode) -> Mode:
    """Return the mode that does less."""
    return min(one, other, key=_STRICTNESS.index)


def target(node: Node, policy: Policy) -> Target:
    """Pin down which machine is meant."""
    labels = node.metadata.labels
    return Target(
        node=node.metadata.name,
        node_uid=node.metadata.uid,
        provider_id=node.spec.provider_id,
        boot_id=node.status.node_info.boot_id,
        pool=policy.pool_of(node),
        domains=policy.domains_of(node),
        instance_type=labels.get(INSTANCE_TYPE_LABEL, ""),
        gpus=parts.gpus(node),
        team=labels.get(policy.alerts.team, ""),
        host=node.status.node_info.system_uuid,
    )


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
) -> Turn:
    """Let the worst fault go first, then the one that has waited longest.

    Only those count as ahead whose own scopes have room: a full one never holds up another one.
    """
    free = _free(ledger, scopes, policy)
    names = (*places(repair, scopes), CLUSTER)
    room = {name: free(name) for name in names if free(name) > 0}
    if not room:
        return Turn(granted=True)
    mine = rank(repair)
    before = [(each, places(each, scopes)) for each in repairs if _is_ahead(each, mine)]
    able = [(each, where) for each, where in before if all(free(name) > 0 for name in where)]
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
) -> list[NodeRepair]:
    """Return those of the queue whom a slot that was given back may help: there is room.

    Those come last who wait for something else that lies in their own node.
    """
    free = _free(ledger, scopes, policy)
    able = [e for e in queue(repairs) if all(free(name) > 0 for name in places(e, scopes))]
    return sorted(able, key=_is_overtaken)


def held_back(repairs: Iterable[NodeRepair]) -> list[NodeRepair]:
    """Return the repairs that wait for people or a breaker to let them go on, or for their time."""
    return [each for each in repairs if each.status.reason in _HELD_BACK]


def queue(repairs: Iterable[NodeRepair]) -> list[NodeRepair]:
    """Return the repairs that wait for a slot, the next one first."""
    return sorted((each for each in repairs if _waits(each)), key=rank)


def _mendable(judgement: Judgement, rules: RuleSet, policy: Policy) -> list[Rule]:
    """Return the rules that a repair may be begun for: there is a remedy, and the fault is there.

    One that is not over but seems to be is left alone, as the second of two faults that one remedy
    mended.
    """
    return [
        rule
        for rule in holding(judgement, rules, policy)
        if rule.ladder and judgement.marks[rule.name].truth is Truth.HOLDS
    ]


def _joined(rule: Rule, mark: Mark, policy: Policy, now: datetime) -> Joined:
    return Joined(
        rule=rule.name,
        severity=rule.severity,
        mode=mode(rule, policy),
        since=now,
        ladder=rule.ladder,
        verify_seconds=round(rule.verify.total_seconds()),
        on_recovery=rule.on_recovery,
        evidence=_evidence(mark),
        parts=_parts(mark),
        needs_approval=rule.needs_approval,
    )


def _evidence(mark: Mark) -> tuple[str, ...]:
    return tuple(text[:1024] for text in mark.evidence[:16])


def _parts(mark: Mark) -> tuple[str, ...]:
    return tuple(part[:253] for part in mark.parts[:64])


def _urgency(rule: Rule, policy: Policy) -> tuple[bool, int, int]:
    """Rank what may act before what may only observe, the worst first, then the furthest remedy."""
    watched = mode(rule, policy) is not Mode.ENFORCE
    return watched, SEVERITIES.index(rule.severity), -remedies.reach(rule.ladder[-1])


def _number(repair: NodeRepair, stem: str) -> int:
    """Return the number at the end of a repair's name, 0 if it is not of this stem."""
    number = repair.metadata.name.removeprefix(stem)
    return int(number) if number.isdigit() else 0


def _stage(repair: NodeRepair) -> Phase:
    phase = repair.status.phase
    return Phase.WAITING if phase is Phase.CORDONED else phase


def has_remedy(repair: NodeRepair) -> bool:
    """Say whether anything is tried at all, before a person is called."""
    spared = joined.condemned(repair) is None or repair.status.tries > 0
    return spared and bool(repair.spec.ladder)


def _is_ahead(repair: NodeRepair, mine: tuple[int, float, str]) -> bool:
    return _waits(repair) and not _is_overtaken(repair) and rank(repair) < mine


def _is_overtaken(repair: NodeRepair) -> bool:
    return repair.status.reason in _OVERTAKEN


def _waits(repair: NodeRepair) -> bool:
    status = repair.status
    may = repair.spec.mode is Mode.ENFORCE and status.reason not in _HELD_UP
    may = may and has_remedy(repair) and status.closing is None
    return may and status.phase in {Phase.CORDONED, Phase.WAITING}


def rank(repair: NodeRepair) -> tuple[int, float, str]:
    """Order repairs: the worst fault first, then the one that has waited longest."""
    return SEVERITIES.index(joined.severity(repair)), *_age(repair)


def _age(repair: NodeRepair) -> tuple[float, str]:
    created = repair.metadata.creation_timestamp
    return created.timestamp() if created else 0.0, repair.metadata.name


def _free(ledger: RepairLedger, scopes: Scopes, policy: Policy) -> Callable[[str], int]:
    """Return what counts the free slots of a scope, each once."""

    @cache
    def free(name: str) -> int:
        return limits.free_slots(ledger, scopes[name], policy) if name in scopes else 0

    return free


def _has_nodes(scope: Scope | None) -> bool:
    return scope is not None and bool(scope.members)
