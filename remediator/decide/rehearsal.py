"""Plays a rule's test cases: the real judge, looking when the real remediator would look."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from remediator.decide.actor import Actor
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, judge
from remediator.rules.cases import Case
from remediator.rules.rule import Rule
from remediator.rules.stories import (
    ConditionGiven,
    EventGiven,
    LevelGiven,
    NodeGiven,
    StepGiven,
    Verdict,
)

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_OPEN: Final[Mapping[Truth, Verdict]] = {
    Truth.FALSE: Verdict.CLEARING,
    Truth.UNKNOWN: Verdict.STANDS,
    Truth.SUSPECTED: Verdict.STANDS,
    Truth.HOLDS: Verdict.HOLDS,
}
"""What is made of a node on which the rule once held and is not over."""
_NONE: Final[Mapping[Truth, Verdict]] = {
    Truth.FALSE: Verdict.WELL,
    Truth.UNKNOWN: Verdict.UNKNOWN,
    Truth.SUSPECTED: Verdict.SUSPECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the rule made of one step of a story."""

    at: str
    changes: str
    expected: Verdict | None
    found: Verdict

    def is_as_expected(self) -> bool:
        """Say whether nothing else was expected."""
        return self.expected in {None, self.found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How a case went."""

    case: Case
    moments: tuple[Moment, ...]

    def is_as_expected(self) -> bool:
        """Say whether the rule made of every moment what was expected."""
        return all(moment.is_as_expected() for moment in self.moments)


def rehearse(rule: Rule, case: Case) -> Rehearsal:
    """Play one case."""
    actor, judgement, moments = Actor(began=_START), Judgement(), []
    for step in case.steps:
        now = _START + step.at
        judgement = _wait(rule, actor, judgement, now)
        actor.change(step.given, now)
        judgement = judge([rule], actor.facts(now), judgement, now)
        moments.append(
            Moment(
                at=step.given.at,
                changes=", ".join(_changes(step.given)),
                expected=step.given.expect,
                found=_verdict(rule, judgement),
            )
        )
    return Rehearsal(case=case, moments=tuple(moments))


def _wait(rule: Rule, actor: Actor, judgement: Judgement, until: datetime) -> Judgement:
    """Look whenever a timer of the node rings before a moment."""
    while judgement.due is not None and judgement.due < until:
        due = judgement.due
        judgement = judge([rule], actor.facts(due), judgement, due)
    return judgement


def _verdict(rule: Rule, judgement: Judgement) -> Verdict:
    mark = judgement.marks[rule.name]
    return (_OPEN if mark.confirmed else _NONE)[mark.truth]


def _changes(step: StepGiven) -> Iterator[str]:
    if step.reboot:
        yield "the node boots anew"
    if step.agent is not None:
        yield "the agent falls silent" if step.agent == "silent" else "the agent speaks"
    if step.pod is not None:
        yield f"the agent's pod is {step.pod}"
    if step.watches is not None:
        yield f"the remediator's watches are {step.watches}"
    yield from _of_the_node(step.node)
    for level in step.levels:
        yield f"{_named(level)} is {level.value}"
    for event in step.events:
        yield f"{_named(event)} happens {event.count} times"


def _of_the_node(given: NodeGiven) -> Iterator[str]:
    for what in ("labels", "capacity", "allocatable"):
        for name, value in getattr(given, what).items():
            yield f"{what} of the node: {name} {value}"
    for name, said in given.conditions.items():
        status = said.status if isinstance(said, ConditionGiven) else said
        why = f" for {said.reason}" if isinstance(said, ConditionGiven) and said.reason else ""
        yield f"condition {name} is {str(status).lower()}{why}"


def _named(given: LevelGiven | EventGiven) -> str:
    fields = ", ".join(f"{name} {value}" for name, value in given.fields.items())
    about = f" of {given.subject}" if given.subject else ""
    return f"{given.signal}{about}{f' ({fields})' if fields else ''}"
