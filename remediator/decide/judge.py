"""Whether a rule holds on a node: facts and the past answer in, faults and the next look out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from remediator.decide import answers, news
from remediator.decide.answers import Answers, Look, Truth
from remediator.decide.facts import LOOK_AGAIN, Facts
from remediator.decide.news import Basis
from remediator.rules.rule import Combine, Question, Rule

_NO_SPELLS: Final[Mapping[str, "Spell"]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """How long one subject has answered yes; while its answer is unknown, that stands still."""

    since: datetime
    """Since when; later by as long as nothing was known in between."""
    lost: datetime | None = None
    """As of when its answer is unknown, while it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was last found of one rule on one node."""

    truth: Truth
    since: datetime
    """Since when it is so, by our own watch and never by the node's."""
    spells: tuple[Mapping[str, Spell], ...] = ()
    """For each question how long its answer is yes, by subject: each has to last by itself."""
    confirmed: datetime | None = None
    """When it first held; kept until it was false for as long as the rule says."""
    evidence: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """The subjects on which it was found."""
    boot: str = ""
    """The boot of the node in which it was found."""
    held_in: str = ""
    """The boot in which it held last."""

    def is_idle(self) -> bool:
        """Say whether it is but an answer: nothing has to last and nothing has to be over."""
        return self.confirmed is None and not any(self.spells)

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
    basis: Basis | None = field(default=None, compare=False, repr=False)
    """What the marks were found by, unless it is not known."""

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
    """Judge one node by all rules, and ask only those about which something is new.

    The others' marks are what they would be found to be: whoever changes one lets it be found anew.
    """
    basis, look = Basis(rules=tuple(rules), facts=facts, at=now), answers.look(facts, now)
    heard = news.since(before.basis, look, basis.rules)
    marks: dict[str, Mark] = {}
    dues: list[datetime] = []
    alike: dict[object, Mark] = {}
    for rule in basis.rules:
        mark = before.marks.get(rule.name)
        if mark is not None and heard is not None and mark.is_idle() and heard.spares(rule):
            dues.extend(_idle_dues(rule, mark, look))
        else:
            mark = _shared(_mark(rule, look, mark), alike)
            dues.extend(_dues(rule, mark, look))
        marks[rule.name] = mark
    due = min((due for due in dues if due > now), default=None)
    return Judgement(marks=marks, due=due, basis=basis)


def again(rule: Rule, facts: Facts, before: Mark, now: datetime) -> Mark:
    """Judge by one rule anew, by facts that are newer than those behind a mark of it."""
    return _mark(rule, answers.look(facts, now), before)


def _mark(rule: Rule, look: Look, before: Mark | None) -> Mark:
    found = [answers.ask(question, look) for question in rule.questions]
    past = (
        before.spells if before and len(before.spells) == len(found) else (_NO_SPELLS,) * len(found)
    )
    asked = list(zip(rule.questions, found, past, strict=True))
    spells = tuple(_spells(question, each, was, look) for question, each, was in asked)
    truths = [
        _graded(question, each, spell, look.now)
        for (question, each, _), spell in zip(asked, spells, strict=True)
    ]
    truth = max(truths) if rule.combine is Combine.ANY else min(truths)
    since = before.since if before and before.truth is truth else look.now
    answered = [(name, one) for each in found for name, one in each.items()]
    boot, holds = look.facts.node.status.node_info.boot_id, truth is Truth.HOLDS
    mark = Mark(
        truth=truth,
        since=since,
        spells=spells,
        confirmed=(before.confirmed if before else None) or (look.now if holds else None),
        evidence=tuple(one.evidence for _, one in answered if one.evidence),
        parts=tuple(dict.fromkeys(name for name, one in answered if name and one.evidence)),
        boot=boot,
        held_in=boot if holds else before.held_in if before else "",
    )
    is_past = mark.confirmed is not None and mark.is_over(rule, look.now)
    return replace(mark, confirmed=None) if is_past else mark


def _shared(mark: Mark, alike: dict[object, Mark]) -> Mark:
    """Take one mark for all that say the same, as most do of a node that is well."""
    if not mark.is_idle():
        return mark
    key = (mark.truth, mark.since, mark.boot, mark.held_in, len(mark.spells))
    return alike.setdefault(key, mark)


def _spells(
    question: Question, found: Answers, past: Mapping[str, Spell], look: Look
) -> Mapping[str, Spell]:
    """Remember how long each subject has answered yes; nobody is well while nothing is known."""
    if not past and all(one.truth is not Truth.HOLDS for one in found.values()):
        return _NO_SPELLS
    is_dark = "" in found and found[""].truth is Truth.UNKNOWN
    unsaid = Truth.UNKNOWN if is_dark else Truth.FALSE
    truths = dict.fromkeys(past, unsaid) | {name: one.truth for name, one in found.items()}
    spells = {name: _spell(question, truth, past.get(name), look) for name, truth in truths.items()}
    return {name: spell for name, spell in spells.items() if spell is not None}


def _spell(question: Question, truth: Truth, past: Spell | None, look: Look) -> Spell | None:
    """Go on with what lasts: a known good answer ends it, or too long a time without any."""
    if truth is Truth.HOLDS:
        return Spell(since=look.now) if past is None else _found_again(question, past, look)
    if truth is Truth.FALSE or past is None:
        return None
    known = answers.known_at(question, look.facts) or past.since
    lost = past.lost or max(past.since, known)
    return replace(past, lost=lost) if look.now - lost < _patience(question, look) else None


def _found_again(question: Question, past: Spell, look: Look) -> Spell:
    gap = look.now - (past.lost or look.now)
    is_another = gap >= _patience(question, look)
    return Spell(since=look.now if is_another else past.since + gap)


def _patience(question: Question, look: Look) -> timedelta:
    """Say how long a yes is remembered of which nothing is known."""
    return max(question.lasts, look.facts.patience())


def _graded(
    question: Question, found: Answers, spells: Mapping[str, Spell], now: datetime
) -> Truth:
    """Take the greatest answer; one that has not lasted is a suspicion."""
    since = min((each.since for each in spells.values() if each.lost is None), default=None)
    greatest = max(answer.truth for answer in found.values())
    young = since is not None and now - since < question.lasts
    return Truth.SUSPECTED if young else greatest


def _dues(rule: Rule, mark: Mark, look: Look) -> Iterator[datetime]:
    """Yield the times at which the answer may change although nobody tells us anything."""
    for question, spells in zip(rule.questions, mark.spells, strict=True):
        yield from (each.since + question.lasts for each in spells.values())
        if question.within is not None and spells:
            yield look.now + LOOK_AGAIN  # what was counted grows old
        changes = answers.due(question, look)
        if changes is not None:
            yield changes
    if mark.truth is Truth.FALSE:
        yield mark.since + rule.quiet


def _idle_dues(rule: Rule, mark: Mark, look: Look) -> Iterable[datetime]:
    """Return those of a mark that was spared: all its answers are an agent's."""
    stale = () if look.stale_at is None else (look.stale_at,)
    return (mark.since + rule.quiet, *stale) if mark.truth is Truth.FALSE else stale
