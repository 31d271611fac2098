"""Every breaker with its present measure: what is stopped, and how far the others are from that."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS
from nodehealth.ledger import UNUSED, Breaker, BreakerState, Handling, RepairLedger
from nodehealth.repair import Mode
from nodemend.looking.rulebook import Rulebook
from nodemend.looking.sight import Sight
from remediator import overview
from remediator.decide import novelties, openings, trips, unplaced
from remediator.decide.trips import Crowd, Kind, Measure
from remediator.overview import Counts
from remediator.rules.breaking import Breaking
from remediator.rules.policy import CLUSTER

_ELSEWHERE: Final = frozenset({trips.name(Kind.API_ERRORS, CLUSTER)})
"""What only the leader can count."""
_PENDING: Final = trips.name(Kind.PENDING_PODS, CLUSTER)
CLOSED: Final = "Closed"


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One breaker."""

    breaker: str
    state: str
    since: datetime | None = None
    """Since when it is so, if it is not closed."""
    seen: int | None = None
    """How much is amiss now; nothing where that is not to be told from here."""
    opens_at: int | None = None
    """From how much on it opens."""
    of: int | None = None
    """Of how many, where that says something."""
    says: str = ""
    """What it saw, what it stops and how it closes, if it is not closed."""
    person: Handling | None = None
    """What a person said of it."""
    tried: str = ""
    """The node that is tried, if it is half open."""
    tried_at: datetime | None = None
    """When one node will be tried, if it is open."""
    closes_at: datetime | None = None
    """When it closes, if nothing is amiss any more."""

    def is_due(self) -> bool:
        """Say whether a closed one has seen enough to open, and the leader has yet to say so."""
        return (
            self.state == CLOSED
            and self.seen is not None
            and self.opens_at is not None
            and self.seen >= self.opens_at
        )

    def is_quiet(self) -> bool:
        """Say whether there is nothing to say of it."""
        return self.state == CLOSED and self.person is None and self.seen == 0


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is new enough to be blamed for what falls sick."""

    what: str
    at: datetime


class Breakers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All there is to say of breakers."""

    at: datetime
    by: str
    """Whose policy it is judged by."""
    mode: Mode
    breakers: tuple[Row, ...]
    never: tuple[str, ...]
    """Those that the policy never opens."""
    changes: tuple[Change, ...]
    problem: str = ""
    """Why the policy can't be used, if it can't."""


async def pods(client: Client, sight: Sight, book: Rulebook) -> Crowd | None:
    """Count pods that wait in place of evicted ones; nothing where pods are not ours to see."""
    pending = book.policy.breaking.pending_pods
    if pending is None:
        return Crowd()
    evicted = unplaced.evicted(sight.repairs, pending.within, sight.now)
    if not evicted:
        return Crowd()
    try:
        found = await client.listing(PODS, fields=unplaced.FIELDS, cached=True)
    except errors.ForbiddenError:
        return None
    return unplaced.waiting(found.items, evicted)


def summary(sight: Sight, book: Rulebook, waiting: Crowd | None) -> Breakers:
    """Measure every breaker, those that are not closed or nearest to opening first."""
    fleet, breaking = sight.fleet(book.policy), book.policy.breaking
    ledger = sight.ledger or UNUSED
    heard, silent = fleet.agents(sight.now, fleet.nodes())
    counts = Counts(
        agents=Crowd(all=heard, amiss=silent), requests=Crowd(), pods=waiting or Crowd()
    )
    measures = trips.measured(
        overview.world(fleet, counts, book.policy, sight.now), breaking, sight.now
    )
    hidden = _ELSEWHERE if waiting is not None else _ELSEWHERE | {_PENDING}
    rows = _rows(ledger, measures, hidden, breaking)
    return Breakers(
        at=sight.now,
        by=book.origin,
        mode=book.policy.mode,
        breakers=tuple(sorted(rows, key=_nearness)),
        never=tuple(kind for kind in Kind if _is_off(kind, breaking)),
        changes=tuple(
            Change(what=what.replace("/", " ", 1), at=each.at)
            for what, each in novelties.lately(ledger.status.changes, sight.now).items()
        ),
        problem=book.problem,
    )


def names(found: Breakers, sight: Sight, book: Rulebook) -> frozenset[str]:
    """Name all breakers that there are, and those that a rule may open."""
    pools = {book.policy.pool_of(each) for each in sight.nodes}
    doubts = {
        trips.name(Kind.AFTER_CHANGE, f"{pool}/{rule}")
        for pool in pools
        for rule in book.rules.by_name
    }
    return frozenset({*doubts, *(each.breaker for each in found.breakers)})


def _is_off(kind: Kind, breaking: Breaking) -> bool:
    return not getattr(breaking, kind.replace("-", "_"))


def _rows(
    ledger: RepairLedger,
    measures: Mapping[str, Measure],
    hidden: frozenset[str],
    breaking: Breaking,
) -> Iterator[Row]:
    listed, words = ledger.status.breakers, ledger.spec.breakers
    for key in measures.keys() | listed.keys() | words.keys():
        measure, row = measures.get(key), Row(breaker=key, state=CLOSED, person=words.get(key))
        if measure is not None:
            row = msgspec.structs.replace(
                row,
                seen=None if key in hidden else measure.seen,
                opens_at=None if key in hidden else measure.opens_at,
                of=measure.of or None,
            )
        yield _standing(row, listed[key], breaking) if key in listed else row


def _standing(row: Row, breaker: Breaker, breaking: Breaking) -> Row:
    is_open, well = breaker.state is BreakerState.OPEN, breaker.well_since
    return msgspec.structs.replace(
        row,
        state=breaker.state,
        since=breaker.since,
        says=openings.sentence(row.breaker, breaker, row.person, breaking),
        tried=breaker.probing,
        tried_at=breaker.since + breaking.cool_down if is_open and well is None else None,
        closes_at=well + breaking.settle if well is not None else None,
    )


def _nearness(row: Row) -> tuple[bool, bool, float, str]:
    share = (row.seen or 0) / (row.opens_at or 1)
    return row.state == CLOSED, row.person is None, -share, row.breaker
