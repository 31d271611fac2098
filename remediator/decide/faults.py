"""Which faults of a node are only told: those that no repair will be opened for."""

from dataclasses import dataclass
from datetime import datetime

from nodehealth.kube.objects import Node
from nodehealth.repair import Mode, Severity
from remediator.decide import pauses, plan
from remediator.decide.judge import Judgement, Mark
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule, RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule that holds on a node now, for people to know of."""

    node: str
    node_uid: str
    pool: str
    rule: str
    severity: Severity
    mode: Mode
    """How far nodemend would go, had it a remedy; it only observes what people look after."""
    team: str
    about: str
    runbook: str
    since: datetime | None
    """When it first held, by our own watch."""
    evidence: tuple[str, ...]


def told(node: Node, judgement: Judgement, rules: RuleSet, policy: Policy) -> tuple[Fault, ...]:
    """Return the faults of rules without a ladder, and all faults of a node that is spared."""
    spared = plan.is_spared(node, policy)
    return tuple(
        _fault(node, rule, judgement.marks[rule.name], policy)
        for rule in plan.holding(judgement, rules, policy)
        if spared or not rule.ladder
    )


def _mode(node: Node, rule: Rule, policy: Policy) -> Mode:
    mode = plan.mode(rule, policy)
    return plan.stricter(mode, Mode.OBSERVE) if pauses.skipped(node) else mode


def _fault(node: Node, rule: Rule, mark: Mark, policy: Policy) -> Fault:
    return Fault(
        node=node.metadata.name,
        node_uid=node.metadata.uid,
        pool=policy.pool_of(node),
        rule=rule.name,
        severity=rule.severity,
        mode=_mode(node, rule, policy),
        team=node.metadata.labels.get(policy.alerts.team, ""),
        about=rule.about,
        runbook=rule.runbook,
        since=mark.confirmed,
        evidence=mark.evidence,
    )
