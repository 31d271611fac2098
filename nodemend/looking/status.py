"""The fleet in one screen: what is known, what is sick, what is held back, what needs a person."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nodehealth import quantities
from nodehealth.kube.objects import Lease
from nodehealth.ledger import UNUSED, Disruption, Handling, Pause, RepairLedger
from nodehealth.repair import Mode, NodeRepair, Phase
from nodemend.looking import foresight
from nodemend.looking.rulebook import Rulebook
from nodemend.looking.sight import Sight
from remediator.decide import (
    approvals,
    competitors,
    conditions,
    counting,
    obstacles,
    openings,
    pauses,
    plan,
    problems,
    ready,
    returning,
    scopes,
    showing,
    unasked,
)
from remediator.decide.answers import Truth
from remediator.decide.facts import Facts
from remediator.decide.judge import Judgement
from remediator.decide.moves import Reason
from remediator.observe import Fleet
from remediator.rules.policy import CLUSTER, Beside, is_domain

_BEFORE_A_SLOT: Final = frozenset({Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING})
_NAMED: Final = 5
"""How many nodes a sentence names."""


class Scope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How much of the limits of a pool, of the cluster or of a full domain is used."""

    scope: str
    nodes: int
    out: int
    out_limit: int
    disrupted: int
    disrupted_limit: int


class Leader(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who leads among the remediator's replicas, if anybody does."""

    identity: str = ""
    renewed_seconds_ago: int = 0
    replicas_ready: int | None = None
    """Unknown where pods are not for us to see."""

    def leads(self) -> bool:
        """Say whether somebody does."""
        return bool(self.identity)


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What there is to say; `attention` are the sentences that ask for a person."""

    at: datetime
    by: str
    mode: Mode
    rules: int
    nodes: int
    ready: int
    reported: int
    """Nodes whose agent's report counts."""
    sick: Mapping[str, int]
    """How many nodes each rule holds on, or soon will."""
    repairs: Mapping[str, int]
    held: Mapping[str, int]
    """Open repairs by the reason for which they wait."""
    scopes: tuple[Scope, ...]
    ledger: str
    pauses: tuple[str, ...]
    """What people hold back, as sentences."""
    breakers: tuple[str, ...]
    """What stops new disruption because too much is amiss at once, as sentences."""
    leader: Leader
    attention: tuple[str, ...]
    competitors: tuple[str, ...] = ()
    """Who repairs nodes here too, or may, and how that is switched off."""
    unasked: tuple[str, ...] = ()
    """Whose locks beside Nodes the policy does not ask for, although they seem to be here."""


def summary(sight: Sight, book: Rulebook) -> Status:
    """Sum the fleet up."""
    fleet = sight.fleet(book.policy)
    everybody = [facts for name in fleet.nodes() if (facts := fleet.facts(name)) is not None]
    silent = sorted(each.node.metadata.name for each in everybody if not _counts(each, sight.now))
    repairs = [each for each in sight.repairs if plan.is_open(each)]
    leader = _leader(sight)
    others = competitors.found(sight.nodes, sight.checks)
    return Status(
        at=sight.now,
        by=book.origin,
        mode=book.policy.mode,
        rules=len(book.rules.rules),
        nodes=len(everybody),
        ready=sum(ready.is_ready(each.node) for each in everybody),
        reported=len(everybody) - len(silent),
        sick=_sick(everybody, book, sight.now),
        repairs=Counter(str(each.status.phase) for each in repairs),
        held=Counter(each.status.reason for each in repairs if _is_held(each)),
        scopes=tuple(_scopes(sight, book, fleet)),
        ledger=sight.ledger.spec.disruption if sight.ledger else "missing",
        pauses=tuple(itertools.starmap(pauses.sentence, _pauses(sight))),
        breakers=tuple(_breakers(sight, book)),
        leader=leader,
        attention=tuple(_attention(sight, book, leader, repairs, silent)),
        competitors=tuple(competitors.sentence(each) for each in others),
        unasked=tuple(unasked.sentences(sight.nodes, sight.checks, book.policy.coexistence)),
    )


def _pauses(sight: Sight) -> list[tuple[str, Pause]]:
    return pauses.running(sight.ledger, sight.now) if sight.ledger is not None else []


def _breakers(sight: Sight, book: Rulebook) -> Iterator[str]:
    ledger = sight.ledger or UNUSED
    for key, each in sorted(ledger.status.breakers.items()):
        handling = ledger.spec.breakers.get(key)
        yield openings.sentence(key, each, handling, book.policy.breaking)
    for key, handling in sorted(ledger.spec.breakers.items()):
        if handling is Handling.IGNORE:
            yield f"The breaker {key} stops nothing, for a person has it ignored in RepairLedger."


def _counts(facts: Facts, now: datetime) -> bool:
    stale_at = facts.stale_at()
    return stale_at is not None and now < stale_at


def _is_held(repair: NodeRepair) -> bool:
    return bool(repair.status.reason) and repair.status.phase is not Phase.NEEDS_HUMAN


def _sick(everybody: list[Facts], book: Rulebook, now: datetime) -> Mapping[str, int]:
    rules = book.rules.rules
    found = (each for facts in everybody for each in foresight.verdicts(rules, facts, now))
    return Counter(each.rule.name for each in found if each.mark.truth >= Truth.SUSPECTED)


def _scopes(sight: Sight, book: Rulebook, fleet: Fleet) -> Iterator[Scope]:
    ledger = sight.ledger or RepairLedger()
    known = fleet.scopes()
    names = sorted((name for name in known if not is_domain(name)), key=_cluster_first)
    whole = (known[name] for name in names)
    usages = (counting.usage(ledger, scope, book.policy) for scope in whole)
    for used in (*usages, *scopes.full_domains(ledger, known, book.policy)):
        yield Scope(
            scope=used.scope,
            nodes=used.nodes,
            out=used.out,
            out_limit=used.out_limit,
            disrupted=used.disrupted,
            disrupted_limit=used.disrupted_limit,
        )


def _cluster_first(scope: str) -> tuple[bool, str]:
    return scope != CLUSTER, scope


def _unheld(sight: Sight, repairs: list[NodeRepair]) -> Iterator[str]:
    """Name those who keep a slot that nobody but a person can give back while they are away."""
    held = {each.spec.target.node for each in repairs}
    nodes = {each.metadata.name: each for each in sight.nodes}
    ledger = sight.ledger or RepairLedger()
    for name in sorted(ledger.status.slots.keys() - held):
        if returning.keeps(ledger, name, nodes.get(name)):
            yield (
                f"{name} has no repair any more, and something may have been ordered for it. "
                "It keeps its disruption slot until it is Ready. "
                f"If nothing works on its machine: nodemend ledger release {name}"
            )


def _leader(sight: Sight) -> Leader:
    spec = sight.lease.spec if sight.lease is not None else None
    if spec is None or _is_over(sight.lease, sight.now):
        return Leader(replicas_ready=sight.replicas)
    ago = sight.now - (spec.renew_time or sight.now)
    return Leader(
        identity=spec.holder_identity,
        renewed_seconds_ago=max(0, round(ago.total_seconds())),
        replicas_ready=sight.replicas,
    )


def _is_over(lease: Lease | None, now: datetime) -> bool:
    """Say whether nobody renewed the Lease for three of its terms."""
    if lease is None or lease.spec.renew_time is None:
        return True
    term = timedelta(seconds=max(1, lease.spec.lease_duration_seconds))
    return now - lease.spec.renew_time > 3 * term


def _attention(
    sight: Sight, book: Rulebook, leader: Leader, repairs: list[NodeRepair], silent: list[str]
) -> Iterator[str]:
    if book.problem:
        yield (
            "Rules or policy of the cluster can't be used, so the remediator goes on with those "
            f"before: {book.problem}"
        )
    for each in sight.missing:
        yield f"Nothing is enforced, for the cluster lacks something. {each}."
    if not leader.leads():
        yield "No remediator leads: nothing is repaired."
    if sight.ledger is not None and sight.ledger.spec.disruption is Disruption.CLOSED:
        yield (
            "Disruption is closed in RepairLedger/default. "
            f"{problems.closed_because(sight.ledger.status.rebuilt)}. Nothing is drained or "
            "replaced until somebody has looked at what is out and opens it: "
            f"{problems.OPENING}"
        )
    yield from _unheld(sight, repairs)
    yield from _calling(repairs, book)
    yield from _taken(sight, book)
    yield from _both(sight, book)
    yield from _breakers(sight, book)
    if silent:
        yield f"{_named(silent)}: no agent's report counts ({len(silent)} of {len(sight.nodes)})."


def _both(sight: Sight, book: Rulebook) -> Iterator[str]:
    """Say who surely repairs the same nodes as nodemend, or for whom it only observes."""
    refuses = book.policy.competitors is Beside.REFUSE
    follows = "nodemend only observes as long as" if refuses else "Two repair the same nodes, for"
    for each in competitors.found(sight.nodes, sight.checks):
        if each.is_loud(book.policy):
            yield f"{follows} {competitors.sentence(each)}."


def _taken(sight: Sight, book: Rulebook) -> Iterator[str]:
    """Say which conditions somebody else writes that nodemend would."""
    claims = conditions.claims(Judgement(), None, book.rules, book.policy, sight.now)
    taken = showing.taken(sight.nodes, {claim.type for claim in claims})
    for type_, names in sorted(taken.items()):
        yield (
            f"The condition {type_} of {_named(sorted(names))} is written by somebody else, so "
            "nodemend leaves it alone: docs/conditions.md."
        )


def _calling(repairs: list[NodeRepair], book: Rulebook) -> Iterator[str]:
    """Say which repairs wait for a person; one that is parked, a person has parked."""
    for repair in repairs:
        if repair.status.phase is Phase.DRAINING and repair.status.obstacles:
            yield f"{repair.spec.target.node} is held up in its drain: {_obstructed(repair)}."
        if repair.status.phase is Phase.NEEDS_HUMAN or repair.status.reason == Reason.NOT_APPROVED:
            yield f"{repair.spec.target.node} needs a person: {repair.status.message}."
        elif repair.status.phase in _BEFORE_A_SLOT and repair.spec.mode is Mode.ENFORCE:
            refused = approvals.refusal(repair, (repair.spec.target.pool,), book.policy)
            if refused is not None:
                yield f"{repair.spec.target.node} needs a person, too: {refused.message}."


def _obstructed(repair: NodeRepair) -> str:
    """Say what keeps the pods, also while something else holds the drain back."""
    first, *others = repair.status.obstacles
    more = f", and {len(others)} more (nodemend repairs {repair.spec.target.node})"
    return f"{obstacles.said(first)}{more if others else ''}"


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} others" if more > 0 else "")


def spoken_age(seconds: int) -> str:
    """Write seconds for people."""
    return quantities.spoken(timedelta(seconds=seconds))
