"""How fast things may begin: buckets of tokens in the ledger, spent by admissions, filled by time.

Time is the API server's, as good as it is: where it goes back nothing comes in, and where it leaps
ahead no more comes in than a burst. A bucket that is not listed was empty when the ledger began to
know what is admitted, so neither a restart nor the loss of a ledger gives anything away.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import structs

from nodehealth.ledger import Bucket, RepairLedgerStatus
from remediator.rules.policy import FULL_WITHIN, Rate

SKEW: Final = timedelta(minutes=5)
"""How far ahead of us the time in a bucket may be before it is taken for a mistake."""
_ONE: Final = 1 - 1e-9
"""A token, but for what is lost in rounding."""
_SECOND: Final = timedelta(seconds=1)


class Kind(StrEnum):
    """What has a rate of its own."""

    CORDONS = "cordons"
    OUT_CORDONS = "out-cordons"
    """Cordons of nodes that are unavailable anyway: as fast as others, and in nobody's way."""
    DISRUPTIONS = "disruptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """One token of a scope."""

    scope: str
    kind: Kind
    rate: Rate

    @property
    def key(self) -> str:
        """Name the bucket in the ledger."""
        return f"{self.scope}/{self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dry:
    """A bucket without a token, and how long it takes until it has one."""

    spending: Spending
    after: timedelta


def spent(
    status: RepairLedgerStatus, spendings: Iterable[Spending], now: datetime
) -> RepairLedgerStatus | Dry:
    """Take one token out of every bucket, or none of any and say which one is dry the longest."""
    taken, dry = dict[str, Bucket](), list[Dry]()
    for each in spendings:
        bucket = _bucket(status, each, now)
        if bucket.tokens < _ONE:
            missing = (1 - bucket.tokens) * each.rate.every.total_seconds()
            ahead = bucket.at - now
            dry.append(Dry(spending=each, after=_whole(missing) + ahead))
        taken[each.key] = Bucket(tokens=bucket.tokens - 1, at=bucket.at)
    if dry:
        return max(dry, key=lambda each: each.after)
    return structs.replace(status, buckets={**status.buckets, **taken})


def is_dry(status: RepairLedgerStatus, spending: Spending, now: datetime) -> bool:
    """Say whether there is no token in a bucket now."""
    return _bucket(status, spending, now).tokens < _ONE


def settled(status: RepairLedgerStatus, now: datetime) -> RepairLedgerStatus:
    """Set right what a clock that was far ahead has left, and drop what is full for certain.

    No bucket gets a token by that: one from the future keeps what it had.
    """
    latest, oldest = now + SKEW, now - FULL_WITHIN
    buckets = {
        key: structs.replace(each, at=now) if each.at > latest else each
        for key, each in status.buckets.items()
        if each.at > oldest
    }
    since = status.known_since
    since = now if since is not None and since > latest else since
    if buckets == status.buckets and since == status.known_since:
        return status
    return structs.replace(status, buckets=buckets, known_since=since)


def _bucket(status: RepairLedgerStatus, spending: Spending, now: datetime) -> Bucket:
    """Return what is in a bucket now, or at the later time that it is from."""
    unlisted = Bucket(tokens=0.0, at=status.known_since or now)
    known, rate = status.buckets.get(spending.key, unlisted), spending.rate
    gone = max(timedelta(), now - known.at)
    tokens = min(float(rate.burst), known.tokens + gone / rate.every)
    return Bucket(tokens=tokens, at=max(known.at, now))


def _whole(seconds: float) -> timedelta:
    """Round a wait up: the API server tells the time in whole seconds."""
    return timedelta(seconds=math.ceil(seconds)) + _SECOND
