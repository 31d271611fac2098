"""How breakers are opened, tried and closed by what is amiss now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth.ledger import BREAKERS_LENGTH, Breaker, BreakerState, Handling, RepairLedger
from remediator.decide import breakers
from remediator.decide.trips import Trip
from remediator.rules.breaking import Breaking

SKEW: Final = timedelta(minutes=5)
"""How far ahead of us a time in the ledger may be before it is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """What has to be known of single nodes to try one of them."""

    about: Callable[[str, str], bool]
    """Says whether a breaker is about a node."""
    stands: Callable[[str], bool]
    """Says whether a node has a repair that goes on by itself, but for what breakers stop."""
    barred: Callable[[str], bool] = lambda _: False
    """Says whether a breaker stops what a node wants next: its slot, or the step after that."""


def settled(
    ledger: RepairLedger,
    found: Mapping[str, Trip],
    nodes: Nodes,
    breaking: Breaking,
    now: datetime,
) -> RepairLedger:
    """Open, try and close breakers by what is amiss now.

    Args:
        ledger: The ledger as it will be swapped.
        found: All that is amiss.
        nodes: What is known of single nodes.
        breaking: How long everything takes.
        now: The time by the API server's clock.
    """
    before = ledger.status.breakers
    after = dict[str, Breaker]()
    for key in (*before, *sorted(found.keys() - before.keys())):
        step = _Step(
            key=key, ledger=ledger, trip=found.get(key), nodes=nodes, breaking=breaking, now=now
        )
        following = step.next(before.get(key))
        if following is not None and len(after) < BREAKERS_LENGTH:
            after[key] = following
    return breakers.changed(ledger, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    key: str
    ledger: RepairLedger
    trip: Trip | None
    nodes: Nodes
    breaking: Breaking
    now: datetime

    def next(self, breaker: Breaker | None) -> Breaker | None:
        word, trip, now = self.ledger.spec.breakers.get(self.key), self.trip, self.now
        if word is Handling.IGNORE:
            return None
        if breaker is None:
            return _opened(trip, now) if trip is not None else None
        breaker = _in_time(breaker, now)
        if word is Handling.HOLD:
            return _again(breaker, now) if breaker.state is not BreakerState.OPEN else breaker
        if trip is None:
            return self._well(breaker)
        return self._amiss(structs.replace(breaker, well_since=None), trip, word)

    def _amiss(self, breaker: Breaker, trip: Trip, word: Handling | None) -> Breaker:
        if breaker.state is BreakerState.HALF_OPEN:
            return self._tried(breaker, trip)
        if word is not Handling.TRY and self.now - breaker.since < self.breaking.cool_down:
            return breaker
        return structs.replace(
            breaker,
            state=BreakerState.HALF_OPEN,
            since=self.now,
            seen=trip.seen,
            probing=self._first(),
        )

    def _well(self, breaker: Breaker) -> Breaker | None:
        since = breaker.well_since
        if since is None:
            return structs.replace(breaker, well_since=self.now)
        return None if self.now - since >= self.breaking.settle else breaker

    def _tried(self, breaker: Breaker, trip: Trip) -> Breaker:
        if trip.seen > breaker.seen:
            opened = _again(breaker, self.now)
            return structs.replace(opened, seen=trip.seen, reason=trip.reason)
        probing = breaker.probing if self._is_tried(breaker.probing) else self._first()
        return structs.replace(breaker, seen=trip.seen, probing=probing)

    def _is_tried(self, node: str) -> bool:
        """Say whether a node is still the one: two breakers that try two nodes must not wait.

        Where another breaker stops the one that is tried, all try the same, which is first of all.
        """
        status = self.ledger.status
        begun = node in status.slots
        held = (begun or node in status.cordons) and (begun or not self._bars_a_slot())
        return held and self.nodes.stands(node) and not self.nodes.barred(node)

    def _bars_a_slot(self) -> bool:
        """Say whether a node has its slot and breakers stop it: others may wait for that slot."""
        slots = self.ledger.status.slots
        return any(self.nodes.barred(each) and self._may_try(each) for each in slots)

    def _first(self) -> str:
        """Name the node that has its slot longest: what has begun comes first."""
        slots = self.ledger.status.slots.items()
        mine = [(slot.epoch, node) for node, slot in slots if self._may_try(node)]
        return min(mine, default=(0, self._tried_before()))[1]

    def _tried_before(self) -> str:
        """Name the node that was cordoned first of those that any breaker tries, without a slot."""
        status = self.ledger.status
        tried = {each.probing for each in status.breakers.values()}
        cordons = ((epoch, node) for node, epoch in status.cordons.items() if node in tried)
        return min((each for each in cordons if self._may_try(each[1])), default=(0, ""))[1]

    def _may_try(self, node: str) -> bool:
        return self.nodes.about(self.key, node) and self.nodes.stands(node)


def _opened(trip: Trip, now: datetime) -> Breaker:
    return Breaker(
        state=BreakerState.OPEN, opened_at=now, since=now, reason=trip.reason[:512], seen=trip.seen
    )


def _again(breaker: Breaker, now: datetime) -> Breaker:
    return structs.replace(breaker, state=BreakerState.OPEN, since=now, probing="")


def _in_time(breaker: Breaker, now: datetime) -> Breaker:
    """Set right what a clock that was far ahead has left: nothing opens or closes by that."""
    latest, well = now + SKEW, breaker.well_since
    since = now if breaker.since > latest else breaker.since
    well = now if well is not None and well > latest else well
    return structs.replace(breaker, since=since, well_since=well)
