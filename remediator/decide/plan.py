"""Which sick nodes get a repair, for which of their faults, and how far it may go."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from nodehealth.keys import CONTROL_PLANE_LABEL, INSTANCE_TYPE_LABEL
from nodehealth.kube.objects import Metadata, Node
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
from remediator.decide import parts, pauses, remedies
from remediator.decide.answers import Truth
from remediator.decide.joined import SEVERITIES
from remediator.decide.judge import Judgement, Mark
from remediator.decide.moves import Reason
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule, RuleSet

SETTLES: Final = timedelta(minutes=2)
"""How long replicas may take to have the same rules."""
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


def is_open(repair: NodeRepair) -> bool:
    """Say whether something is still to be done, held or undone."""
    return repair.status.phase not in ENDED


def may_hold(repair: NodeRepair) -> bool:
    """Say whether a node may be held for a repair: one that is parked let go of it before."""
    return is_open(repair) and repair.status.phase is not Phase.PARKED


def age(repair: NodeRepair) -> tuple[float, str]:
    """Order repairs by when they were begun."""
    created = repair.metadata.creation_timestamp
    return created.timestamp() if created else 0.0, repair.metadata.name


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
        burn_in=burn_in(rule, policy),
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
