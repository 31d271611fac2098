"""Whether a rule holds on a node: facts and the past answer in, faults and the next look out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from remediator.decide import answers
from remediator.decide.answers import Answers, Look, Truth
from remediator.decide.facts import LOOK_AGAIN, Facts
from remediator.rules.rule import Combine, Question, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was last found of one rule on one node."""

    truth: Truth
    since: datetime
    """Since when it is so, by our own watch and never by the node's."""
    yes_since: tuple[Mapping[str, datetime], ...] = ()
    """For each question, since when its answer is yes, by subject: each has to last by itself."""
    confirmed: datetime | None = None
    """When it first held; kept until it was false for as long as the rule says."""
    evidence: tuple[str, ...] = ()
    boot: str = ""
    """The boot of the node in which it was found."""
    held_in: str = ""
    """The boot in which it held last."""

    def well_since(self) -> datetime | None:
        """Say since when the signals are known and good."""
        return self.since if self.truth is Truth.FALSE else None

    def is_over(self, rule: Rule, now: datetime, *, began_in: str = "") -> bool:
        """Say whether the signals have been known and good for as long as the rule asks.

        Args:
            rule: What was asked.
            now: The present time.
            began_in: A boot in which the fault is known to have been there.
        """
        if self.truth is not Truth.FALSE or now - self.since < rule.quiet:
            return False
        return not rule.after_reboot or self.boot not in {"", began_in, self.held_in}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What holds on a node and when to look again if nothing changes before."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    due: datetime | None = None

    def faults(self) -> tuple[str, ...]:
        """Name the rules that hold, the longest-standing first."""
        held = [(mark.confirmed, name) for name, mark in self.marks.items() if mark.confirmed]
        return tuple(name for _, name in sorted(held))


def stands(judgement: Judgement, of: Facts, facts: Facts, now: datetime) -> bool:
    """Say whether a judgement of earlier facts holds for these without being made anew."""
    early = judgement.due is None or now < judgement.due
    return early and facts.sees_node(now) and facts.says_no_more_than(of)


def known_at(rule: Rule, facts: Facts) -> datetime | None:
    """Say as of when the oldest answer to a rule is known; nothing when one is not."""
    times = [answers.known_at(question, facts) for question in rule.questions]
    known = [each for each in times if each is not None]
    return min(known) if len(known) == len(times) else None


def judge(rules: Iterable[Rule], facts: Facts, before: Judgement, now: datetime) -> Judgement:
    """Judge one node by all rules."""
    look = answers.look(facts, now)
    marks: dict[str, Mark] = {}
    dues: list[datetime] = []
    for rule in rules:
        mark = _mark(rule, look, before.marks.get(rule.name))
        marks[rule.name] = mark
        dues.extend(_dues(rule, mark, look))
    return Judgement(marks=marks, due=min((due for due in dues if due > now), default=None))


def _mark(rule: Rule, look: Look, before: Mark | None) -> Mark:
    found = [answers.ask(question, look) for question in rule.questions]
    yes = _yes_since(found, before.yes_since if before else (), look.now)
    asked = zip(rule.questions, found, yes, strict=True)
    truths = [_graded(question, each, since, look.now) for question, each, since in asked]
    truth = max(truths) if rule.combine is Combine.ANY else min(truths)
    since = before.since if before and before.truth is truth else look.now
    boot, holds = look.facts.node.status.node_info.boot_id, truth is Truth.HOLDS
    mark = Mark(
        truth=truth,
        since=since,
        yes_since=yes,
        confirmed=(before.confirmed if before else None) or (look.now if holds else None),
        evidence=tuple(one.evidence for each in found for one in each.values() if one.evidence),
        boot=boot,
        held_in=boot if holds else before.held_in if before else "",
    )
    is_past = mark.confirmed is not None and mark.is_over(rule, look.now)
    return replace(mark, confirmed=None) if is_past else mark


def _yes_since(
    found: Sequence[Answers], past: Sequence[Mapping[str, datetime]], now: datetime
) -> tuple[Mapping[str, datetime], ...]:
    """Remember since when each subject has answered yes without a break."""
    known = past if len(past) == len(found) else [{} for _ in found]
    return tuple(
        {name: was.get(name, now) for name, one in each.items() if one.truth is Truth.HOLDS}
        for each, was in zip(found, known, strict=True)
    )


def _graded(
    question: Question, found: Answers, yes: Mapping[str, datetime], now: datetime
) -> Truth:
    """Take the greatest answer; one that has not lasted is a suspicion."""
    since = min(yes.values(), default=None)
    greatest = max(answer.truth for answer in found.values())
    young = since is not None and now - since < question.lasts
    return Truth.SUSPECTED if young else greatest


def _dues(rule: Rule, mark: Mark, look: Look) -> Iterator[datetime]:
    """Yield the times at which the answer may change although nobody tells us anything."""
    for question, yes in zip(rule.questions, mark.yes_since, strict=True):
        yield from (since + question.lasts for since in yes.values())
        if question.within is not None and yes:
            yield look.now + LOOK_AGAIN  # what was counted grows old
        changes = answers.due(question, look)
        if changes is not None:
            yield changes
    if mark.truth is Truth.FALSE:
        yield mark.since + rule.quiet
