"""What the facts about a node answer to one question of a rule, for each subject apart."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Final, TypeAlias, TypeVar

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
_NO: Final = Answer(truth=Truth.FALSE)
_NOBODY_KNOWS: Final = Answer(truth=Truth.UNKNOWN)
_UNKNOWN: Final[Answers] = {"": _NOBODY_KNOWS}
_FALSE: Final[Answers] = {"": _NO}
_WHOLE: Final = frozenset({REPORT, EVENTS})
Said = TypeVar("Said", bound=Level | Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a node: what all questions have in common."""

    facts: Facts
    now: datetime
    report: NodeHealthStatus | None
    """What the agent says; nothing when that is stale."""
    reported: Callable[[], Mapping[str, Sequence[Level]]]
    """Gives the levels of the report by their signals; they are unpacked for the first who asks."""
    happened: Mapping[str, Sequence[Event]]
    """Its events by theirs."""
    lacks: frozenset[str]
    """What of it may have been left out: REPORT, EVENTS."""
    stale_at: datetime | None
    """When it turns stale, if it is not."""
    node: Mapping[str, object]
    """The node as expressions see it."""


def look(facts: Facts, now: datetime) -> Look:
    """Prepare to be asked about a node."""
    report = facts.fresh_report(now)
    return Look(
        facts=facts,
        now=now,
        report=report,
        reported=cache(lambda: by_name(report.said() if report is not None else ())),
        happened=by_name(report.events if report is not None else ()),
        lacks=lacking(report) if report is not None else frozenset(),
        stale_at=facts.stale_at() if report is not None else None,
        node=expressions.node_values(facts.node, facts.ordered),
    )


def by_name(said: Iterable[Said]) -> Mapping[str, Sequence[Said]]:
    """Put together what is said of each signal."""
    found: dict[str, list[Said]] = {}
    for each in said:
        found.setdefault(each.name, []).append(each)
    return found


def lacking(report: NodeHealthStatus) -> frozenset[str]:
    """Say what the agent had to leave something out of."""
    failed = (each.name for each in report.probes if each.state is ProbeState.FAILED)
    return _WHOLE & frozenset(failed)


def ask(question: Question, at: Look) -> Answers:
    """Answer a question."""
    found = _asked(question, at)
    return found if question.unless is None else _excused(found, _asked(question.unless, at))


def _excused(found: Answers, excuses: Answers) -> Answers:
    """Answer no for each subject that is known to be excused; what is unknown excuses nothing."""
    excused = {name for name, answer in excuses.items() if answer.truth is Truth.HOLDS}
    return {name: _NO if name in excused else answer for name, answer in found.items()}


def _asked(question: Question, at: Look) -> Answers:
    signal = question.signal
    if signal.author is Author.REMEDIATOR:
        levels = DERIVATIONS[signal.name].levels(at.facts, at.now)
        return _about(question, levels, at) or _UNKNOWN
    if at.report is None:
        return _UNKNOWN
    if signal.kind is Kind.EVENT:
        counted = _counted(question, at.report, at)
        return _doubted(counted) if at.lacks else counted
    found = _about(question, at.reported().get(signal.name, ()), at)
    return _doubted(found) if not found or REPORT in at.lacks else found


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
    return at.stale_at


def _about(question: Question, levels: Sequence[Level], at: Look) -> Answers:
    """Answer for each subject, in their order where one level speaks of several."""
    found: dict[str, Answer] = {}
    for level in levels:
        answer = found[level.subject] = _of(question, level, level.subject, at)
        are_alike = not question.asks_subject and answer.truth is not Truth.HOLDS
        for subject in level.more_subjects:
            found[subject] = answer if are_alike else _of(question, level, subject, at)
    are_mixed = len(levels) > 1 and any(level.more_subjects for level in levels)
    return dict(sorted(found.items())) if are_mixed else found


def _of(question: Question, level: Level, subject: str, at: Look) -> Answer:
    """Answer for a subject; of an unknown level, only that it is not the one that is asked for."""
    if level.knowledge is Knowledge.NOT_APPLICABLE:
        return _NO
    names = {"subject": subject, "node": at.node}
    if level.knowledge is not Knowledge.KNOWN or level.value is None:
        return _NO if _holds(question, names) is Truth.FALSE else _NOBODY_KNOWS
    truth = _holds(question, {"value": level.value, **names, **level.fields})
    if truth is not Truth.HOLDS:
        return _NO if truth is Truth.FALSE else _NOBODY_KNOWS
    return Answer(truth=truth, evidence=_sentence(question, level, subject, at.now))


def _counted(question: Question, report: NodeHealthStatus, at: Look) -> Answers:
    """Answer by how often an event was seen on each subject; without a span, in this boot."""
    seen: dict[str, dict[str, int]] = {}
    for event in at.happened.get(question.signal.name, ()):
        if _matches(question, event, report, at):
            kinds = seen.setdefault(event.subject, {})
            kind = _spoken(event.fields)
            kinds[kind] = kinds.get(kind, 0) + _count(question, event, report, at)
    return {each: _seen(question, each, kinds) for each, kinds in seen.items()} or _FALSE


def _count(question: Question, event: Event, report: NodeHealthStatus, at: Look) -> int:
    """Count an event as far back as is asked, and not beyond what made good what came before."""
    spans = [] if question.within is None else [_node_time(report, at) - question.within]
    if question.since:
        spans += [_JUST_AFTER + each for each in _last(question.since, event.subject, report, at)]
    return history.count_since(event.history, max(spans)) if spans else event.count


def _last(name: str, subject: str, report: NodeHealthStatus, at: Look) -> list[datetime]:
    """Return when an event was last seen on a subject in this boot, by the node's clock."""
    return [
        event.history.last[-1]
        for event in at.happened.get(name, ())
        if (event.subject, event.boot_id) == (subject, report.boot_id) and event.history.last
    ]


def _seen(question: Question, subject: str, kinds: Mapping[str, int]) -> Answer:
    count = sum(kinds.values())
    if count < question.count:
        return _NO
    which = "; ".join([kind for kind, times in kinds.items() if kind and times][:_MOST_KINDS])
    times = "once" if count == 1 else f"{count} times"
    on = f" on {subject}" if subject else ""
    what = f"{question.signal.name} ({which})" if which else question.signal.name
    return Answer(truth=Truth.HOLDS, evidence=f"{what} was seen {times}{on}")


def _matches(question: Question, event: Event, report: NodeHealthStatus, at: Look) -> bool:
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


def _doubted(found: Answers) -> Answers:
    """Say that it is unknown: when not all was told, nothing bad seen is no good sign."""
    nothing_bad = all(each.truth is Truth.FALSE for each in found.values())
    return {**found, **_UNKNOWN} if nothing_bad else found


def _holds(question: Question, names: Mapping[str, object]) -> Truth:
    try:
        return Truth.HOLDS if question.where(names) else Truth.FALSE
    except cel.EvaluationError:
        return Truth.UNKNOWN


def _sentence(question: Question, level: Level, subject: str, now: datetime) -> str:
    about = f" of {subject}" if subject else ""
    text = f"{level.name}{about} is {level.value:g}"
    if question.signal.author is Author.AGENT:
        return f"{text} since {level.since:%H:%M:%S}"
    since = f" since {level.since:%H:%M:%S}" if level.since < now else ""
    return f"{text} ({_spoken(level.fields)}){since}"


def _spoken(fields: Fields) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value != "")
