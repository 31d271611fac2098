"""Whether a rule holds on a node: facts and the past answer in, faults and the next look out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from nodehealth import cel, history
from nodehealth.health import Event, Level, NodeHealth, ProbeState
from nodehealth.kube.objects import Node
from nodehealth.signals import Author, Kind, Knowledge
from remediator.rules import expressions
from remediator.rules.rule import Combine, Question, Rule

REPORT: Final = "report"
"""The probe under whose name an agent says that its report is not whole."""
STALE_REFRESHES: Final = 3
"""Evidence is stale when this many of the agent's refreshes passed without a write."""


class Truth(IntEnum):
    """How far a rule holds; `any` takes the greatest answer, `all` the least."""

    FALSE = 0
    UNKNOWN = 1
    SUSPECTED = 2
    HOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one node, and when the API server last told us of its health."""

    node: Node
    health: NodeHealth | None = None
    heard_at: datetime | None = None

    def stale_at(self) -> datetime | None:
        """Say when the evidence turns stale; nothing when there is none for this very Node."""
        if self.health is None or self.heard_at is None:
            return None
        if self.health.status.node_uid != self.node.metadata.uid:
            return None
        refresh = timedelta(seconds=self.health.status.refresh_seconds)
        return self.heard_at + STALE_REFRESHES * refresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was last found of one rule on one node."""

    truth: Truth
    since: datetime
    """Since when it is so, by our own watch and never by the node's."""
    yes_since: tuple[datetime | None, ...] = ()
    """For each question, since when its answer is yes."""
    confirmed: datetime | None = None
    """When it first held; kept until it was false for as long as the rule says."""
    evidence: tuple[str, ...] = ()

    def well_since(self) -> datetime | None:
        """Say since when the signals are known and good."""
        return self.since if self.truth is Truth.FALSE else None

    def is_over(self, rule: Rule, now: datetime) -> bool:
        """Say whether the signals have been known and good for as long as the rule asks."""
        return self.truth is Truth.FALSE and now - self.since >= rule.quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What holds on a node and when to look again if nothing changes before."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    due: datetime | None = None

    def faults(self) -> tuple[str, ...]:
        """Name the rules that hold, the longest-standing first."""
        held = [(mark.confirmed, name) for name, mark in self.marks.items() if mark.confirmed]
        return tuple(name for _, name in sorted(held))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    truth: Truth
    evidence: tuple[str, ...] = ()


def judge(rules: Iterable[Rule], facts: Facts, before: Judgement, now: datetime) -> Judgement:
    """Judge one node by all rules."""
    stale_at = facts.stale_at()
    fresh = stale_at is not None and now < stale_at
    marks, dues = {}, [stale_at] if fresh else []
    for rule in rules:
        mark, due = _mark(rule, facts, before.marks.get(rule.name), now, fresh=fresh)
        marks[rule.name] = mark
        dues.append(due)
    return Judgement(marks=marks, due=min((due for due in dues if due), default=None))


def _mark(
    rule: Rule, facts: Facts, before: Mark | None, now: datetime, *, fresh: bool
) -> tuple[Mark, datetime | None]:
    unknown = _Answer(truth=Truth.UNKNOWN)
    health = facts.health if fresh else None
    answers = [_ask(q, facts, health, now) if health else unknown for q in rule.questions]
    past = before.yes_since if before and len(before.yes_since) == len(answers) else ()
    yes = tuple(
        (past[n] if past and past[n] else now) if answer.truth is Truth.HOLDS else None
        for n, answer in enumerate(answers)
    )
    graded = [
        Truth.SUSPECTED if since and now - since < each.lasts else answer.truth
        for each, since, answer in zip(rule.questions, yes, answers, strict=True)
    ]
    truth = max(graded) if rule.combine is Combine.ANY else min(graded)
    since = before.since if before and before.truth is truth else now
    mark = Mark(
        truth=truth,
        since=since,
        yes_since=yes,
        confirmed=_confirmed(rule, truth, since, before, now),
        evidence=tuple(text for answer in answers for text in answer.evidence),
    )
    return mark, _due(rule, mark, now)


def _confirmed(
    rule: Rule, truth: Truth, since: datetime, before: Mark | None, now: datetime
) -> datetime | None:
    confirmed = before.confirmed if before else None
    if truth is Truth.HOLDS:
        return confirmed or now
    over = truth is Truth.FALSE and now - since >= rule.quiet
    return None if over else confirmed


def _due(rule: Rule, mark: Mark, now: datetime) -> datetime | None:
    dues = [
        since + each.lasts
        for each, since in zip(rule.questions, mark.yes_since, strict=True)
        if since is not None
    ]
    if mark.truth is Truth.FALSE:
        dues.append(mark.since + rule.quiet)
    return min((due for due in dues if due > now), default=None)


def _ask(question: Question, facts: Facts, health: NodeHealth, now: datetime) -> _Answer:
    node = expressions.node_values(facts.node)
    status = health.status
    if question.signal.author is not Author.AGENT:
        return _Answer(truth=Truth.UNKNOWN)
    if question.signal.kind is Kind.LEVEL:
        named = [level for level in status.levels if level.name == question.signal.name]
        answer = _ask_levels(question, named, node)
        partial = answer.truth is Truth.FALSE and _is_partial(health)
        return _Answer(truth=Truth.UNKNOWN) if partial else answer
    events = [
        event
        for event in status.events
        if event.name == question.signal.name
        and (question.within is not None or event.boot_id == status.boot_id)
    ]
    return _ask_events(question, events, node, _node_time(facts, now))


def _is_partial(health: NodeHealth) -> bool:
    """Say whether the agent had to leave something out: then nothing bad seen is no good sign."""
    reports = health.status.probes
    return any(each.name == REPORT and each.state is ProbeState.FAILED for each in reports)


def _node_time(facts: Facts, now: datetime) -> datetime:
    """Return what the node's clock says now: only spans are believed of it, never the time."""
    reported_at = facts.health.status.reported_at if facts.health else None
    if reported_at is None or facts.heard_at is None:
        return now
    return reported_at + (now - facts.heard_at)


def _ask_levels(question: Question, levels: Iterable[Level], node: Mapping[str, object]) -> _Answer:
    truths, evidence = [], []
    for level in levels:
        if level.knowledge is Knowledge.NOT_APPLICABLE:
            truths.append(Truth.FALSE)
            continue
        names = {"value": level.value, "subject": level.subject, "node": node, **level.fields}
        known = level.knowledge is Knowledge.KNOWN and level.value is not None
        truth = _holds(question, names) if known else Truth.UNKNOWN
        truths.append(truth)
        if truth is Truth.HOLDS:
            evidence.append(_sentence(level))
    return _Answer(truth=max(truths, default=Truth.UNKNOWN), evidence=tuple(evidence))


def _ask_events(
    question: Question, events: Iterable[Event], node: Mapping[str, object], now: datetime
) -> _Answer:
    matching = [
        event
        for event in events
        if _holds(question, {"subject": event.subject, "node": node, **event.fields}) is Truth.HOLDS
    ]
    if question.within is None:
        count = sum(event.count for event in matching)
    else:
        since = now - question.within
        count = sum(history.count_since(event.history, since) for event in matching)
    if count < question.count:
        return _Answer(truth=Truth.FALSE)
    names = ", ".join(sorted({event.subject or "the node" for event in matching}))
    text = f"{question.signal.name} ({question.text}) was seen {count} times on {names}"
    return _Answer(truth=Truth.HOLDS, evidence=(text,))


def _holds(question: Question, names: Mapping[str, object]) -> Truth:
    try:
        return Truth.HOLDS if question.where(names) else Truth.FALSE
    except cel.EvaluationError:
        return Truth.UNKNOWN


def _sentence(level: Level) -> str:
    about = f" of {level.subject}" if level.subject else ""
    return f"{level.name}{about} is {level.value:g} since {level.since:%H:%M:%S}"
