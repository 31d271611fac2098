"""What people should hear that no repair tells of: faults nobody repairs, our own trouble."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nodehealth.keys import LEDGER_NAME
from nodehealth.ledger import Breaker, Disruption, Pause, Rebuilt, RepairLedger
from nodehealth.repair import Mode, Severity
from remediator.decide import alerts, breakers, competitors, openings, pauses
from remediator.decide.alerts import Alert, Rise
from remediator.decide.competitors import Competitor
from remediator.decide.faults import Fault
from remediator.rules.alerting import Alerting, Urgency
from remediator.rules.policy import Beside, Policy

FAULT: Final = "fault/"
"""What the subject of every fault begins with."""
PAUSE: Final = "pause/"
"""What the subject of every pause begins with."""
RULES: Final = "rules"
"""The subject of rules that can't be used."""
LEDGER_UNREADABLE: Final = "ledger-unreadable"
"""The subject of a ledger without which nothing is done."""
PREREQUISITES: Final = "prerequisites"
"""The subject of what the cluster lacks."""
CONDITION: Final = "condition/"
"""What the subject of every condition begins with that somebody else writes."""
COMPETITOR: Final = "competitor/"
"""What the subject of everybody begins with who repairs nodes too."""
OPENING: Final = (
    f"nodemend ledger open, or kubectl patch repairledger {LEDGER_NAME} --type merge "
    '-p \'{"spec":{"disruption":"Open"}}\''
)
"""How a person lets disruption go on."""
BREAKER: Final = "breaker/"
"""What the subject of every open breaker begins with."""
_SAY: Final = "kubectl patch repairledger default --type merge -p"
_URGENCY: Final[Mapping[Severity, Urgency]] = {
    Severity.CRITICAL: Urgency.PAGE,
    Severity.WARNING: Urgency.WARNING,
    Severity.INFO: Urgency.INFO,
}
"""How urgent a fault is that nodemend does nothing about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong for as long as it is said."""

    subject: str
    """What it is about: one problem at a time has it."""
    name: str
    """What kind of problem it is, in CamelCase."""
    urgency: Urgency
    summary: str
    description: str
    since: datetime | None = None
    """Since when it is known to be so, if that is known."""
    runbook: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def of_problem(problem: Problem, manners: Alerting, since: datetime) -> Alert:
    """Say what people should hear of a problem that began at a time."""
    cluster = {"cluster": manners.cluster} if manners.cluster else {}
    return Alert(
        incident=f"{problem.subject}/{since.isoformat()}",
        name=problem.name,
        labels={**cluster, **problem.labels},
        summary=problem.summary,
        description=problem.description,
        runbook=alerts.link(problem.runbook, manners),
        rises=(Rise(urgency=problem.urgency, at=since),),
    )


def ledger(found: RepairLedger | None) -> Problem | None:
    """Say that new disruption is closed, which only a person can undo."""
    if found is None or found.spec.disruption is Disruption.OPEN:
        return None
    path = f"RepairLedger/{LEDGER_NAME}"
    held = f"{len(found.status.slots)} slots and {len(found.status.cordons)} cordons"
    rebuilt = found.status.rebuilt
    closing = rebuilt.at.isoformat() if rebuilt is not None else found.metadata.generation
    return Problem(
        subject=f"ledger/{found.metadata.uid}/{closing}",
        name="NodemendLedgerClosed",
        urgency=Urgency.PAGE,
        summary=f"{path} is closed: no repair begins a step that would disrupt its node",
        description=(
            f"{closed_because(rebuilt)}; it has {held}.\n"
            "Compare it with what is really out: "
            "kubectl get repairledger default -o yaml; kubectl get nodes,noderepairs\n"
            f"Then open it: {OPENING}"
        ),
    )


def closed_because(rebuilt: Rebuilt | None) -> str:
    """Say why disruption is closed, and what was found to be wrong if we closed it."""
    if rebuilt is None:
        return "A person closed it"
    found = "; ".join(rebuilt.found)
    return (
        f"It was put together anew at {rebuilt.at:%Y-%m-%d %H:%M:%S} UTC from fences and repairs, "
        f"and closed, because {found}"
    )


def ledger_unreadable(says: str) -> Problem:
    """Say that nothing at all is done, for nobody can tell what is admitted."""
    return Problem(
        subject=LEDGER_UNREADABLE,
        name="NodemendLedgerUnreadable",
        urgency=Urgency.PAGE,
        summary=f"RepairLedger/{LEDGER_NAME} can't be read: nothing is cordoned or repaired",
        description=(
            f"{says}\n"
            "Run the version of nodemend that wrote it. If nobody needs what it says, delete it: "
            f"kubectl delete repairledger {LEDGER_NAME}\n"
            "It is then put together anew from fences and repairs, and closed until you open it."
        ),
    )


def pause(name: str, held: Pause) -> Problem:
    """Remind people of a pause that has no end."""
    since = (
        f"since {held.at:%Y-%m-%d %H:%M} UTC" if held.at is not None else "nobody said since when"
    )
    return Problem(
        subject=f"{PAUSE}{name}",
        name="NodemendPauseForgotten",
        urgency=Urgency.INFO,
        summary=f"pause {name} has no end: nothing is begun on {pauses.scope(held)}",
        description=(
            f"{pauses.sentence(name, held)} ({since}).\n"
            f"To let it go on: nodemend resume {name}\n"
            f"To give it an end: nodemend pause {name} --for 2h"
        ),
    )


def breaker(key: str, found: Breaker) -> Problem:
    """Say that too much is amiss at once; people are told once of each opening."""
    kind, _, scope = key.partition("/")
    suspected = breakers.stops_cordons(key)
    ignored = f'{{"spec":{{"breakers":{{"{key}":"Ignore"}}}}}}'
    labels = {"breaker": kind, "scope": scope, "pool": breakers.pool(key)}
    return Problem(
        subject=f"{BREAKER}{key}/{found.opened_at.isoformat()}",
        name="NodemendBreakerOpen",
        urgency=Urgency.PAGE if suspected else Urgency.WARNING,
        summary=f"the breaker {key} is open: {found.reason}",
        description="\n".join(
            (
                openings.stops(key),
                "What it does now, and how it closes: nodemend status",
                f"To have it stop nothing: {_SAY} '{ignored}'",
            )
        ),
        since=found.opened_at,
        labels={name: value for name, value in labels.items() if value},
    )


def rules_broken(says: str) -> Problem:
    """Say that an edit of rules or policy could not be used, and the last good ones still hold."""
    return Problem(
        subject=RULES,
        name="NodemendRulesBroken",
        urgency=Urgency.WARNING,
        summary="an edit of the rules or the policy can't be used; the ones before still hold",
        description=says,
    )


def prerequisites_missing(missing: Iterable[str]) -> Problem | None:
    """Say what the cluster lacks, without which nothing may be enforced."""
    lacking = tuple(missing)
    if not lacking:
        return None
    return Problem(
        subject=PREREQUISITES,
        name="NodemendPrerequisitesMissing",
        urgency=Urgency.WARNING,
        summary="nodemend may not enforce: the cluster lacks something that it needs",
        description="\n".join(lacking),
    )


def condition_taken(type_: str, writer: str) -> Problem:
    """Say that somebody else writes a condition that we would write."""
    return Problem(
        subject=f"{CONDITION}{type_}/{writer}",
        name="NodemendConditionTaken",
        urgency=Urgency.WARNING,
        summary=f"the Node condition {type_} is written by {writer}, so nodemend leaves it alone",
        description=(
            "Two writers of one condition undo each other, and who acts on it acts on either.\n"
            "Let one of them write it: spec.conditions.names of the policy calls ours otherwise, "
            "as docs/conditions.md says."
        ),
    )


def competitor(one: Competitor, policy: Policy) -> Problem:
    """Say that somebody else repairs nodes, or may; it is loud only where both surely do."""
    is_loud = one.is_loud(policy)
    refused = is_loud and policy.competitors is Beside.REFUSE
    follows = "nodemend only observes as long as that is so.\n" if refused else ""
    return Problem(
        subject=f"{COMPETITOR}{one.name}",
        name="NodemendCompetitor",
        urgency=Urgency.WARNING if is_loud else Urgency.INFO,
        summary=competitors.sentence(one),
        description=(
            f"{follows}Two who repair the same node drain it twice or replace it twice, and "
            "neither knows of the other's limits. Let one of them repair: docs/coexistence.md."
        ),
    )


def fault(told: Fault, observed: Urgency) -> Problem:
    """Tell of a fault that no repair will ever be opened for."""
    labels = {
        "node": told.node,
        "pool": told.pool,
        "team": told.team,
        "rule": told.rule,
        "fault": str(told.severity),
        "mode": str(told.mode),
    }
    return Problem(
        subject=f"{FAULT}{told.node_uid}/{told.rule}",
        name="NodeFault",
        urgency=_URGENCY[told.severity] if told.mode is Mode.ENFORCE else observed,
        since=told.since,
        summary=f"{told.rule} on {told.node}: nodemend leaves it to people",
        description="\n".join((told.about, *told.evidence)),
        runbook=told.runbook,
        labels={name: value for name, value in labels.items() if value},
    )
