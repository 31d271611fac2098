"""What a node says that it did not say before: about all else the answers are what they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from nodehealth.kube.objects import Node
from nodehealth.signals import Author, Kind
from remediator.decide import answers
from remediator.decide.answers import Look
from remediator.decide.facts import Facts
from remediator.rules.rule import Question, Rule

_ByName: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """By what, of what and when a node was judged."""

    rules: tuple[Rule, ...]
    facts: Facts
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The signals of which something else is said than before."""

    levels: frozenset[str]
    events: frozenset[str]
    counted: frozenset[str]
    """Events of which anything is said: how many lie within a time, time itself changes."""

    def spares(self, rule: Rule) -> bool:
        """Say whether every answer to a rule is what it was, but for what passing time makes of it.

        What is read off Nodes and pods is asked always: it depends on our watches, too.
        """
        return all(map(self._spares, rule.questions))

    def _spares(self, question: Question) -> bool:
        name, excuse = question.signal.name, question.unless
        if question.signal.author is Author.REMEDIATOR or (excuse and not self._spares(excuse)):
            return False
        if question.signal.kind is Kind.LEVEL:
            return name not in self.levels
        if question.within is not None and name in self.counted:
            return False
        return name not in self.events and question.since not in self.events


def since(before: Basis | None, look: Look, rules: tuple[Rule, ...]) -> News | None:
    """Compare a look with what was judged before; nothing when all has to be asked anew."""
    if before is None or before.rules is not rules or look.report is None:
        return None
    was, now = before.facts.fresh_report(before.at), look.report
    if was is None or not _are_alike(before.facts.node, look.facts.node):
        return None
    if before.facts.ordered != look.facts.ordered:
        return None
    if was.boot_id != now.boot_id or answers.lacking(was) != look.lacks:
        return None
    same = was is now or was.says_the_same(now)
    return News(
        levels=frozenset() if same else _changed(answers.by_name(was.said()), look.reported()),
        events=_changed(answers.by_name(was.events), look.happened),
        counted=frozenset(look.happened),
    )


def _changed(before: _ByName, now: _ByName) -> frozenset[str]:
    return frozenset(name for name in before.keys() | now if before.get(name) != now.get(name))


def _are_alike(one: Node, other: Node) -> bool:
    """Say whether two Nodes are the same to all that a mark tells of what an agent says."""
    return one is other or (
        one.metadata.name == other.metadata.name
        and one.metadata.uid == other.metadata.uid
        and one.metadata.labels == other.metadata.labels
        and one.status.capacity == other.status.capacity
        and one.status.allocatable == other.status.allocatable
        and one.status.node_info.boot_id == other.status.node_info.boot_id
    )
