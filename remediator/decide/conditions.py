"""Which conditions a Node ought to have: the faults of enforced rules, and our own work on it.

A type says what is well while it is True, but for those of node-problem-detector. What is unknown
never makes a fault and never ends one. A condition is written for the first time when a fault holds
(or at once, if the policy wants it on every node), and goes when nothing is enforced that it tells.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from nodehealth.keys import CONDITION_VOICE, GROUP
from nodehealth.kube.objects import Node
from nodehealth.ledger import EVER
from nodehealth.repair import Mode, NodeRepair, Phase, Severity
from remediator.decide import joined, own, plan
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, Mark
from remediator.rules.policy import Names, Policy
from remediator.rules.rule import Rule, RuleSet, Sign

ACTED_ON: Final = frozenset(
    {
        "AcceleratedHardwareReady",
        "ContainerRuntimeReady",
        "KernelReady",
        "NetworkingReady",
        "StorageReady",
    }
)
"""The types on which Karpenter's and EKS's own repair of nodes act when they are False."""
LONGEST: Final = 1024
"""How long a message may be."""
_LIFECYCLE_REASON: Final = "NodemendRepair"
_WORST_FIRST: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_MOST_PARTS: Final = 4
_SAYS_NOTHING: Final = Mark(truth=Truth.UNKNOWN, since=EVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What we have to say by one condition."""

    type: str
    status: str
    """What it ought to be; nothing where it may stay as it is."""
    reason: str = ""
    message: str = ""
    bad: str = "False"
    """The status that tells of a fault."""
    doubts: frozenset[str] = frozenset()
    """Reasons of which it is not known that they are over: a fault of theirs stands."""
    begins: bool = True
    """Whether it is written to a Node that does not have it."""


def is_silent(node: Node, judgement: Judgement, repair: NodeRepair | None, policy: Policy) -> bool:
    """Say at little cost that a node has nothing to show, as nearly all have at any time."""
    if policy.conditions.every_node or repair is not None:
        return False
    if any(mark.confirmed is not None for mark in judgement.marks.values()):
        return False
    return not any(own.is_ours(each) for each in node.status.conditions)


def claims(
    judgement: Judgement,
    repair: NodeRepair | None,
    rules: RuleSet,
    policy: Policy,
    now: datetime,
) -> tuple[Claim, ...]:
    """Say what all conditions of a node ought to be.

    Args:
        judgement: What holds on the node.
        repair: Its open repair, if there is one.
        rules: What it was judged by.
        policy: How conditions are called, and whether we may write any.
        now: The present time.
    """
    if policy.mode is not Mode.ENFORCE:
        return ()
    groups: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules.rules:
        if rule.condition is not None and plan.mode(rule, policy) is Mode.ENFORCE:
            groups.setdefault(_called(rule.condition, policy.conditions.names), []).append(rule)
    groups.pop(("", ""), None)
    found = [_claim(name, group, judgement, now) for name, group in sorted(groups.items())]
    begins = policy.conditions.every_node
    said = (each if each.status == each.bad else replace(each, begins=begins) for each in found)
    return (*said, *_stages(repair, policy))


def _called(sign: Sign, names: Names) -> tuple[str, str]:
    """Return the type that shows a fault, and the status by which it does."""
    match names:
        case Names.NONE:
            return "", ""
        case Names.NPD:
            return sign.npd or sign.reason, "True"
        case Names.KARPENTER if sign.type in ACTED_ON:
            return sign.type, "False"
        case _:
            return f"{GROUP}/{sign.type}", "False"


def _claim(
    name: tuple[str, str], group: Iterable[Rule], judgement: Judgement, now: datetime
) -> Claim:
    type_, bad = name
    asked = [(rule, judgement.marks.get(rule.name, _SAYS_NOTHING)) for rule in group]
    doubts = frozenset(_reason(rule) for rule, mark in asked if not mark.is_over(rule, now))
    claim = Claim(type=type_, status="", bad=bad, doubts=doubts)
    faults = [(rule, mark) for rule, mark in asked if mark.confirmed is not None]
    if faults:
        faults.sort(key=lambda each: (_WORST_FIRST.index(each[0].severity), each[0].name))
        message = "; ".join(_sentence(rule, mark) for rule, mark in faults)
        return replace(claim, status=bad, reason=_reason(faults[0][0]), message=_voiced(message))
    truths = {mark.truth for _, mark in asked}
    if truths == {Truth.UNKNOWN}:
        message = "nothing is known of what its rules ask."
        return replace(claim, status="Unknown", reason="NotKnown", message=_voiced(message))
    if Truth.FALSE not in truths:
        return claim
    well = "True" if bad == "False" else "False"
    message = "no fault of the rules that are enforced is known."
    return replace(claim, status=well, reason="NoFault", message=_voiced(message))


def _reason(rule: Rule) -> str:
    return rule.condition.reason if rule.condition is not None else ""


def _sentence(rule: Rule, mark: Mark) -> str:
    """Say what is wrong and where, but no number that changes by the minute."""
    parts = mark.parts[:_MOST_PARTS]
    more = len(mark.parts) - len(parts)
    named = ", ".join(parts) + (f" and {more} others" if more else "")
    return f"{rule.about} ({rule.name}{' on ' if named else ''}{named})"


def _voiced(message: str) -> str:
    whole = f"{CONDITION_VOICE}{message}"
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…"


def _stages(repair: NodeRepair | None, policy: Policy) -> tuple[Claim, ...]:
    """Say by the lifecycle conditions of Kubernetes what we do to a node that we disrupt."""
    if not policy.conditions.lifecycle or repair is None or not _is_disrupting(repair):
        return ()
    drains = repair.status.phase in {Phase.DRAINING, Phase.FENCING}
    drained = not drains and any(rung.action == "drain" for rung in joined.done(repair))
    said = {"DrainInProgress": drains, "Drained": drained, "MaintenanceInProgress": True}
    message = _voiced(
        f"NodeRepair {repair.metadata.name} is under way for {', '.join(joined.rules(repair))}."
    )
    return tuple(
        Claim(type=type_, status=str(is_so), reason=_LIFECYCLE_REASON, message=message, bad="")
        for type_, is_so in said.items()
    )


def _is_disrupting(repair: NodeRepair) -> bool:
    status = repair.status
    ours = repair.spec.mode is Mode.ENFORCE and status.disruption_epoch > 0
    working = {Phase.DRAINING, Phase.FENCING, Phase.REPAIRING, Phase.VERIFYING}
    return ours and status.phase in working
