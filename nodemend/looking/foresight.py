"""What a rule makes of a node and what its repair does next, asked of the remediator's own code.

Since when a rule holds is in the leader's memory only. Here it is taken from the report: what it
says now, it has said since the last of the rule's levels changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import UNUSED
from nodehealth.repair import Joined, NodeRepair
from nodehealth.signals import Author, Kind
from nodemend.looking.rulebook import Rulebook
from nodemend.looking.sight import Sight
from remediator.decide import (
    burnins,
    claims,
    gates,
    joined,
    ladder,
    limits,
    plan,
    recurrence,
    room,
    waiting,
)
from remediator.decide.answers import Truth
from remediator.decide.counting import Scope
from remediator.decide.derive import DERIVATIONS
from remediator.decide.facts import Facts
from remediator.decide.gates import Asked, Deed
from remediator.decide.judge import Judgement, Mark, judge, known_at
from remediator.decide.limits import Refused
from remediator.decide.moves import Cordon, Disrupt, Move, Other, View, Wellness
from remediator.decide.repairpods import FINISHED
from remediator.decide.scopes import Scopes
from remediator.decide.survey import Survey
from remediator.observe import Fleet
from remediator.rules.policy import CLUSTER
from remediator.rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is found of one rule on one node."""

    rule: Rule
    mark: Mark
    confirmed_at: datetime | None = None
    """When it will hold, if nothing changes before."""


def verdicts(rules: Iterable[Rule], facts: Facts, now: datetime) -> tuple[Verdict, ...]:
    """Judge a node as one who has listened to its agent for long."""
    return tuple(_verdict(rule, facts, now) for rule in rules)


def _verdict(rule: Rule, facts: Facts, now: datetime) -> Verdict:
    before = judge((rule,), facts, Judgement(), _unchanged_since(rule, facts, now))
    judgement = judge((rule,), facts, before, now)
    mark = judgement.marks[rule.name]
    soon = judgement.due if mark.truth is Truth.SUSPECTED else None
    return Verdict(rule=rule, mark=mark, confirmed_at=soon)


def _unchanged_since(rule: Rule, facts: Facts, now: datetime) -> datetime:
    """Say since when the levels that the rule asks for are as they are."""
    derived = [each for each in rule.questions if each.signal.author is Author.REMEDIATOR]
    since = [_reported_since(rule, facts, now)] if len(derived) < len(rule.questions) else []
    for each in derived:
        levels = DERIVATIONS[each.signal.name].levels(facts, now)
        since += [min(level.since, now) for level in levels]
    return max(since, default=now)


def _reported_since(rule: Rule, facts: Facts, now: datetime) -> datetime:
    """Say the same of the levels that the agent reports; only spans of its clock are believed."""
    if facts.health is None or facts.heard_at is None:
        return now
    status = facts.health.status
    asked = {each.signal.name for each in rule.questions if each.signal.kind is Kind.LEVEL}
    changes = [level.since for level in status.levels if level.name in asked]
    if status.reported_at is None or not changes:
        return min(facts.heard_at, now)
    age = max(status.reported_at - max(changes), timedelta())
    return min(facts.heard_at - age, now)


def wellness(
    repair: NodeRepair, found: Mapping[str, Verdict], facts: Facts, now: datetime, rule: str = ""
) -> Wellness:
    """Say what is known of a fault of a repair on its node; of the leading one by default."""
    verdict = found.get(rule or repair.spec.rule)
    if verdict is None:
        return Wellness()
    mark = verdict.mark
    return Wellness(
        holds=mark.truth is Truth.HOLDS,
        over=mark.is_over(verdict.rule, now, began_in=repair.spec.target.boot_id),
        since=mark.well_since(),
        heard_at=known_at(verdict.rule, facts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The next move of a repair, and what is in its way."""

    move: Move
    held: str = ""
    """Why a cordon or a disruption is not given now, as a sentence."""


def next_of(
    repair: NodeRepair, sight: Sight, book: Rulebook, fleet: Fleet, found: Mapping[str, Verdict]
) -> Next:
    """Ask what comes next in a repair."""
    facts = fleet.facts(repair.spec.target.node)
    node = facts.node if facts else None
    rule = book.rules.by_name.get(repair.spec.rule)
    ledger = sight.ledger or UNUSED
    view = View(
        repair=repair,
        node=node,
        ledger=ledger,
        well=wellness(repair, found, facts, sight.now) if facts else Wellness(),
        now=sight.now,
        allowed=plan.mode(rule, book.policy) if rule else book.policy.mode,
        ruled=rule is not None,
        shut=gates.refusal(_asked(Deed.STEP, repair, node, sight, book, fleet)),
        others=_others(repair, facts, sight, book, found),
        joining=_joining(repair, sight, book, found),
        lingering=_lingering(repair, sight, book),
    )
    move = ladder.next_move(view)
    return Next(move=move, held=_held(move, view, sight, book, fleet))


def _others(
    repair: NodeRepair,
    facts: Facts | None,
    sight: Sight,
    book: Rulebook,
    found: Mapping[str, Verdict],
) -> tuple[Other, ...]:
    return tuple(
        Other(
            fault=each,
            well=wellness(repair, found, facts, sight.now, each.rule) if facts else Wellness(),
            allowed=plan.allowed(each.rule, book.rules, book.policy),
        )
        for each in repair.status.faults
    )


def _joining(
    repair: NodeRepair, sight: Sight, book: Rulebook, found: Mapping[str, Verdict]
) -> tuple[Joined, ...]:
    held = Judgement(marks={name: each.mark for name, each in found.items()})
    return recurrence.joining(repair, held, book.rules, book.policy, sight.now, sight.repairs)


def _lingering(repair: NodeRepair, sight: Sight, book: Rulebook) -> str:
    """Name a Pod of the repair's Jobs that still runs."""
    if not burnins.may_linger(repair):
        return ""
    ours = (
        f"Pod {each.metadata.name}"
        for each in sight.pods
        if each.metadata.namespace == book.policy.jobs_namespace
        and each.metadata.labels.get(keys.REPAIR_LABEL) == repair.metadata.uid
        and each.status.phase not in FINISHED
    )
    return next(ours, "")


def _held(move: Move, view: View, sight: Sight, book: Rulebook, fleet: Fleet) -> str:
    match move:
        case Cordon():
            return _refusal(Deed.CORDON, view, sight, book, fleet)
        case Disrupt():
            repairs, scopes = fleet.open_repairs(), fleet.scopes()
            turn = waiting.turn(view.repair, repairs, view.ledger, scopes, book.policy, sight.now)
            if not turn.granted:
                return turn.message
            return _refusal(Deed.DISRUPT, view, sight, book, fleet)
        case _:
            return ""


def _refusal(deed: Deed, view: View, sight: Sight, book: Rulebook, fleet: Fleet) -> str:
    """Say what is in the way of a cordon or a disruption."""
    asked = _asked(deed, view.repair, view.node, sight, book, fleet)
    asked = replace(asked, holding=joined.holding(view))
    admit = limits.cordon if deed is Deed.CORDON else limits.disrupt
    answer = gates.refusal(asked) or admit(
        asked.ledger, asked.repair, asked.scopes, asked.policy, asked.now
    )
    if deed is Deed.DISRUPT:
        gangs = claims.of(sight.pods, view.node, book.policy, sight.now)
        answer = claims.admitted(answer, view.repair.spec.target.node, gangs, book.policy)
    answer = room.fitting(asked.ledger, answer)
    return answer.message if isinstance(answer, Refused) else ""


def _asked(
    deed: Deed, repair: NodeRepair, node: Node | None, sight: Sight, book: Rulebook, fleet: Fleet
) -> Asked:
    return Asked(
        deed=deed,
        repair=repair,
        node=node,
        ledger=sight.ledger or UNUSED,
        scopes=_mine(repair, fleet.scopes()),
        policy=book.policy,
        now=sight.now,
        survey=Survey.of(sight.nodes, ()),
    )


def _mine(repair: NodeRepair, scopes: Scopes) -> tuple[Scope, ...]:
    names = (*waiting.places(repair, scopes), CLUSTER)
    return tuple(scopes[name] for name in names if name in scopes)
