"""Why a node is as it is and what happens to it next, in sentences."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth import quantities
from nodehealth.kit.settings import SettingsError
from nodehealth.ledger import UNUSED
from nodehealth.repair import Mode, NodeRepair
from nodemend import nearest
from nodemend.looking import foresight, knowledge, outlook
from nodemend.looking.foresight import Verdict
from nodemend.looking.rulebook import Rulebook
from nodemend.looking.sight import Sight
from remediator.decide import maintenance, parts, pauses, plan, recurrence
from remediator.decide.answers import Truth
from remediator.decide.facts import Facts
from remediator.decide.judge import Judgement
from remediator.observe import Fleet
from remediator.rules.policy import Policy

_ABSENT: Final = "There is no such Node now; its repair goes on."
_MOST_NAMED: Final = 10
"""How many rules a sentence names."""
_UNUSABLE: Final = (
    "Rules or policy of the cluster can't be used, so the remediator goes on with those before, "
    "if it was not started anew"
)
_SAID: Final = {
    Truth.HOLDS: "holds",
    Truth.SUSPECTED: "suspected",
    Truth.UNKNOWN: "unknown",
    Truth.FALSE: "no",
}


class Found(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found of one rule."""

    rule: str
    truth: str
    severity: str
    evidence: tuple[str, ...] = ()
    confirmed_at: datetime | None = None


class Why(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole answer; `rules` is for scripts, the rest are sentences for people."""

    node: str
    at: datetime
    by: str
    """Whose rules and policy it was judged by."""
    machine: tuple[str, ...]
    known: tuple[str, ...]
    judged: tuple[str, ...]
    next: tuple[str, ...]
    rules: tuple[Found, ...]
    repair: NodeRepair | None = None


def explain(sight: Sight, book: Rulebook, name: str) -> Why:
    """Answer for one node.

    Raises:
        nodehealth.kit.settings.SettingsError: there is no such node; says the nearest names.
    """
    fleet = sight.fleet(book.policy)
    facts = fleet.facts(name)
    repair = next((each for each in fleet.repairs_of(name) if plan.is_open(each)), None)
    if facts is None and repair is None:
        raise SettingsError(nearest.none_named("node", name, fleet.nodes()))
    found = foresight.verdicts(book.rules.rules, facts, sight.now) if facts else ()
    policy = None if book.problem else book.policy
    next_ = _unruled(repair, sight.now) if policy is None else None
    return Why(
        node=name,
        at=sight.now,
        by=book.origin,
        machine=tuple(_machine(facts, policy, sight)) if facts else (_ABSENT,),
        known=tuple(knowledge.of_report(facts, sight.now)) if facts else (),
        judged=(f"{_UNUSABLE}: {book.problem}",) if policy is None else tuple(_judged(found)),
        next=tuple(next_ or _next(sight, book, fleet, name, found, repair)),
        rules=tuple(_found(each) for each in found),
        repair=repair,
    )


def drawn(why: Why) -> RenderableType:
    """Draw the answer: a heading for each part, a sentence a line."""
    head = Text.assemble((why.node, "bold"), f" as of {why.at:%H:%M:%S} UTC, by {why.by}")
    parts = (("", why.machine), ("known", why.known), ("judged", why.judged), ("next", why.next))
    lines = Table.grid(padding=(0, 2))
    for title, sentences in parts:
        for n, each in enumerate(sentences):
            lines.add_row(Text("" if n else title, style="bold"), each)
    return Group(head, lines)


def _machine(facts: Facts, policy: Policy | None, sight: Sight) -> Iterator[str]:
    yield from knowledge.of_machine(facts.node, policy)
    yield from knowledge.of_versions(facts, (sight.ledger or UNUSED).status.changes, sight.now)


def _judged(found: Iterable[Verdict]) -> Iterator[str]:
    by: dict[Truth, list[Verdict]] = {each: [] for each in Truth}
    for each in found:
        by[each.mark.truth].append(each)
    for each in by[Truth.HOLDS]:
        yield f"{each.rule.name} holds ({each.rule.severity}): {_evidence(each)}."
    for each in by[Truth.SUSPECTED]:
        yield f"{each.rule.name} is suspected: {_evidence(each)}; {_confirmation(each)}."
    if by[Truth.UNKNOWN]:
        yield (
            "Not to be told, because what they ask for is unknown here: "
            f"{_named([each.rule.name for each in by[Truth.UNKNOWN]])}."
        )
    if by[Truth.FALSE]:
        yield f"{_counted(len(by[Truth.FALSE]), 'rule')} found nothing wrong."


def _named(rules: list[str]) -> str:
    """Name rules, and of very many only the first ones."""
    more = len(rules) - _MOST_NAMED
    if more <= 1:
        return ", ".join(rules)
    return f"{', '.join(rules[:_MOST_NAMED])} and {more} more (all of them with --json)"


def _evidence(verdict: Verdict) -> str:
    return "; ".join(verdict.mark.evidence) or "no single fact says so, but all together do"


def _confirmation(verdict: Verdict) -> str:
    lasts = max((each.lasts for each in verdict.rule.questions), default=timedelta())
    when = f", at {_clock(verdict.confirmed_at)}" if verdict.confirmed_at else ""
    return f"it is confirmed when that has lasted {quantities.spoken(lasts)}{when}"


def _next(
    sight: Sight,
    book: Rulebook,
    fleet: Fleet,
    name: str,
    found: Iterable[Verdict],
    repair: NodeRepair | None,
) -> Iterator[str]:
    verdicts = {each.rule.name: each for each in found}
    if sight.missing:
        yield f"Nothing is enforced here, for the cluster lacks something. {sight.missing[0]}."
    if sight.lease is None or not sight.lease.spec.holder_identity:
        yield "No remediator leads: whatever is said below waits until one does."
    ledger = sight.ledger or UNUSED
    facts = fleet.facts(name)
    node = facts.node if facts else None
    pools = (book.policy.pool_of(node),) if node is not None else ()
    for halt in pauses.halts(ledger, name, node, pools, sight.now):
        yield f"Held back: {halt.says}."
    if repair is not None:
        yield from outlook.of(
            repair, foresight.next_of(repair, sight, book, fleet, verdicts), sight.now
        )
        return
    keeper = maintenance.keeper(node) if node is not None else ""
    if keeper:
        yield f"It is held by no repair any more; {keeper} is at work on it, so it stays cordoned."
    elif facts is not None:
        yield _beginning(facts, fleet, book, verdicts, sight.now)


def _unruled(repair: NodeRepair | None, now: datetime) -> tuple[str, ...]:
    """Say what is known of a repair where nobody can tell by which rules it goes on."""
    if repair is None:
        return ("No repair is open; whether one begins is not to be told without the rules.",)
    return (outlook.standing(repair, now), "What comes next is not to be told without the rules.")


def _beginning(
    facts: Facts, fleet: Fleet, book: Rulebook, found: Mapping[str, Verdict], now: datetime
) -> str:
    """Say whether a repair is about to be opened."""
    held = Judgement(marks={name: each.mark for name, each in found.items()})
    past = fleet.repairs_of(facts.node.metadata.name)
    wanted = plan.begin(facts.node, held, past, book.rules, book.policy)
    if wanted is not None:
        wanted = _weighed(wanted, fleet, book, now, held.marks[wanted.spec.rule].confirmed)
        steps = ", then ".join(("cordon", *_remedies(wanted)))
        if wanted.spec.mode is Mode.OBSERVE:
            return f"A repair is written down and nothing is done (mode observe): {steps}."
        return f"A repair for {wanted.spec.rule} is opened at the leader's next look: {steps}."
    told = [rule.name for rule in plan.holding(held, book.rules, book.policy)]
    if told:
        spared = plan.is_spared(facts.node, book.policy)
        whose = " and no repair is opened for such a node" if spared else ""
        return f"People are told of {', '.join(told)}{whose}; nothing else is done."
    if held.faults():
        return f"Nothing: {', '.join(held.faults())} is switched off by the rule or the policy."
    soon = [(each.confirmed_at, each.rule.name) for each in found.values() if each.confirmed_at]
    if soon:
        at, name = min(soon)
        then = "a repair begins" if book.rules.by_name[name].ladder else "people are told"
        return f"Nothing before {_clock(at)}; then {then} if it still holds."
    return "Nothing: no rule holds."


def _weighed(
    wanted: NodeRepair, fleet: Fleet, book: Rulebook, now: datetime, since: datetime | None
) -> NodeRepair:
    has_twin, rule = fleet.has_twin(wanted.spec.target.node), book.rules.by_name[wanted.spec.rule]
    return recurrence.weighed(
        wanted, fleet.repairs(), rule, book.policy, now, has_twin=has_twin, since=since
    )


def _remedies(wanted: NodeRepair) -> tuple[str, ...]:
    if wanted.spec.condemned is not None:
        return (f"a person, for {parts.sentence(wanted.spec.condemned)}",)
    remedies = tuple(rung.action for rung in wanted.spec.ladder)
    if wanted.spec.recurs is None:
        return remedies
    *all_but_last, last = remedies or ("a person",)
    return (*all_but_last, f"{last}, for {recurrence.sentence(wanted.spec.recurs)}")


def _found(verdict: Verdict) -> Found:
    return Found(
        rule=verdict.rule.name,
        truth=_SAID[verdict.mark.truth],
        severity=verdict.rule.severity,
        evidence=verdict.mark.evidence,
        confirmed_at=verdict.confirmed_at,
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _clock(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at is not None else "?"
