"""What the facts about a node answer to one question of a rule, for each subject apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, TypeAlias

from nodehealth import cel, history
from nodehealth.health import Event, Fields, Level, NodeHealthStatus, ProbeState
from nodehealth.signals import Author, FieldType, Kind, Knowledge
from remediator.decide.derive import DERIVATIONS
from remediator.decide.facts import Facts
from remediator.rules import expressions
from remediator.rules.rule import Question

REPORT: Final = "report"
"""The probe under whose name an agent says that its report is not whole."""
EVENTS: Final = "events"
"""The probe under whose name it says that more happened in this boot than it could count."""


class Truth(IntEnum):
    """How far a rule holds; `any` takes the greatest answer, `all` the least."""

    FALSE = 0
    UNKNOWN = 1
    SUSPECTED = 2
    HOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of one subject."""

    truth: Truth
    evidence: str = ""


Answers: TypeAlias = Mapping[str, Answer]
"""By subject; the empty one is the node itself. There is always at least one."""

_UNSAID: Final[Mapping[FieldType, int | str]] = {FieldType.INT: 0, FieldType.STRING: ""}
"""What stands for a field of an event that its author did not say."""
_JUST_AFTER: Final = timedelta(microseconds=1)
_MOST_KINDS: Final = 4
"""How many kinds of one event a sentence tells apart."""
_UNKNOWN: Final[Answers] = {"": Answer(truth=Truth.UNKNOWN)}
_FALSE: Final[Answers] = {"": Answer(truth=Truth.FALSE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a node: what all questions have in common."""

    facts: Facts
    now: datetime
    report: NodeHealthStatus | None
    """What the agent says; nothing when that is stale."""
    reported: Mapping[str, list[Level]]
    """The levels of the report by their signals."""
    node: Mapping[str, object]
    """The node as expressions see it."""


def look(facts: Facts, now: datetime) -> Look:
    """Prepare to be asked about a node."""
    report = facts.fresh_report(now)
    reported: dict[str, list[Level]] = {}
    for level in report.levels if report is not None else ():
        reported.setdefault(level.name, []).append(level)
    node = expressions.node_values(facts.node)
    return Look(facts=facts, now=now, report=report, reported=reported, node=node)


def ask(question: Question, at: Look) -> Answers:
    """Answer a question."""
    found = _asked(question, at)
    return found if question.unless is None else _excused(found, _asked(question.unless, at))


def _excused(found: Answers, excuses: Answers) -> Answers:
    """Answer no for each subject that is known to be excused; what is unknown excuses nothing."""
    excused = {name for name, answer in excuses.items() if answer.truth is Truth.HOLDS}
    no = Answer(truth=Truth.FALSE)
    return {name: no if name in excused else answer for name, answer in found.items()}


def _asked(question: Question, at: Look) -> Answers:
    signal = question.signal
    if signal.author is Author.REMEDIATOR:
        levels = DERIVATIONS[signal.name].levels(at.facts, at.now)
        return _about(question, levels, at) or _UNKNOWN
    if at.report is None:
        return _UNKNOWN
    if signal.kind is Kind.EVENT:
        counted = _counted(question, at.report, at)
        return _doubted(counted) if _lacks(at.report, REPORT, EVENTS) else counted
    found = _about(question, at.reported.get(signal.name, ()), at)
    return _doubted(found) if not found or _lacks(at.report, REPORT) else found


def known_at(question: Question, facts: Facts) -> datetime | None:
    """Say as of when the answer is known."""
    signal = question.signal
    derived = signal.author is Author.REMEDIATOR
    return DERIVATIONS[signal.name].known_at(facts) if derived else facts.heard_at


def due(question: Question, at: Look) -> datetime | None:
    """Say when the answer may change although nobody tells us anything, for an excuse too."""
    asked = (question,) if question.unless is None else (question, question.unless)
    return min((each for each in (_due(one, at) for one in asked) if each), default=None)


def _due(question: Question, at: Look) -> datetime | None:
    signal = question.signal
    if signal.author is Author.REMEDIATOR:
        return DERIVATIONS[signal.name].due(at.facts, at.now)
    return at.facts.stale_at() if at.report is not None else None


def _about(question: Question, levels: Iterable[Level], at: Look) -> Answers:
    return {level.subject: _of(question, level, at) for level in levels}


def _of(question: Question, level: Level, at: Look) -> Answer:
    """Answer for one level; of an unknown one, only that it is not the one that is asked for."""
    if level.knowledge is Knowledge.NOT_APPLICABLE:
        return Answer(truth=Truth.FALSE)
    names = {"subject": level.subject, "node": at.node}
    if level.knowledge is not Knowledge.KNOWN or level.value is None:
        other = _holds(question, names) is Truth.FALSE
        return Answer(truth=Truth.FALSE if other else Truth.UNKNOWN)
    truth = _holds(question, {"value": level.value, **names, **level.fields})
    said = _sentence(question, level, at.now) if truth is Truth.HOLDS else ""
    return Answer(truth=truth, evidence=said)


def _counted(question: Question, report: NodeHealthStatus, at: Look) -> Answers:
    """Answer by how often an event was seen on each subject; without a span, in this boot."""
    seen: dict[str, dict[str, int]] = {}
    for event in report.events:
        if _matches(question, event, report, at):
            kinds = seen.setdefault(event.subject, {})
            kind = _spoken(event.fields)
            kinds[kind] = kinds.get(kind, 0) + _count(question, event, report, at)
    return {each: _seen(question, each, kinds) for each, kinds in seen.items()} or _FALSE


def _count(question: Question, event: Event, report: NodeHealthStatus, at: Look) -> int:
    """Count an event as far back as is asked, and not beyond what made good what came before."""
    spans = [] if question.within is None else [_node_time(report, at) - question.within]
    if question.since:
        spans += [_JUST_AFTER + each for each in _last(question.since, event.subject, report)]
    return history.count_since(event.history, max(spans)) if spans else event.count


def _last(name: str, subject: str, report: NodeHealthStatus) -> list[datetime]:
    """Return when an event was last seen on a subject in this boot, by the node's clock."""
    return [
        event.history.last[-1]
        for event in report.events
        if (event.name, event.subject, event.boot_id) == (name, subject, report.boot_id)
        and event.history.last
    ]


def _seen(question: Question, subject: str, kinds: Mapping[str, int]) -> Answer:
    count = sum(kinds.values())
    if count < question.count:
        return Answer(truth=Truth.FALSE)
    which = "; ".join([kind for kind, times in kinds.items() if kind and times][:_MOST_KINDS])
    times = "once" if count == 1 else f"{count} times"
    on = f" on {subject}" if subject else ""
    what = f"{question.signal.name} ({which})" if which else question.signal.name
    return Answer(truth=Truth.HOLDS, evidence=f"{what} was seen {times}{on}")


def _matches(question: Question, event: Event, report: NodeHealthStatus, at: Look) -> bool:
    if event.name != question.signal.name:
        return False
    if question.within is None and event.boot_id != report.boot_id:
        return False
    unsaid = {name: _UNSAID[kind] for name, kind in question.signal.fields.items()}
    names = {"subject": event.subject, "node": at.node, **unsaid, **event.fields}
    return _holds(question, names) is Truth.HOLDS


def _node_time(report: NodeHealthStatus, at: Look) -> datetime:
    """Return what the node's clock says now: only spans are believed of it, never the time."""
    if report.reported_at is None or at.facts.heard_at is None:
        return at.now
    return report.reported_at + (at.now - at.facts.heard_at)


def _lacks(report: NodeHealthStatus, *names: str) -> bool:
    """Say whether the agent had to leave something out."""
    return any(each.name in names and each.state is ProbeState.FAILED for each in report.probes)


def _doubted(found: Answers) -> Answers:
    """Say that it is unknown: when not all was told, nothing bad seen is no good sign."""
    nothing_bad = all(each.truth is Truth.FALSE for each in found.values())
    return {**found, **_UNKNOWN} if nothing_bad else found


def _holds(question: Question, names: Mapping[str, object]) -> Truth:
    try:
        return Truth.HOLDS if question.where(names) else Truth.FALSE
    except cel.EvaluationError:
        return Truth.UNKNOWN


def _sentence(question: Question, level: Level, now: datetime) -> str:
    about = f" of {level.subject}" if level.subject else ""
    text = f"{level.name}{about} is {level.value:g}"
    if question.signal.author is Author.AGENT:
        return f"{text} since {level.since:%H:%M:%S}"
    since = f" since {level.since:%H:%M:%S}" if level.since < now else ""
    return f"{text} ({_spoken(level.fields)}){since}"


def _spoken(fields: Fields) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value != "")
