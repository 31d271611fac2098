"""How often something is counted at most: a bucket of tokens that fills again by the second.

Pure. Buckets are remembered over restarts of the agent: what is read again gets no second token.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

from agent.probe import Past
from agent.readings import FLEETING, Memo

HOLDS: Final = 1000
"""Tokens in a full one; one more comes each second."""
RECENT: Final = 600
"""For so many seconds it is said that a bucket was empty."""
_NAMES: Final = f"{FLEETING}bucket "


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where one stands."""

    tokens: int = HOLDS
    at: int = 0
    """As of when, in seconds since 1970."""
    refused: int = 0
    """How often it was empty."""
    refused_at: int = 0
    last: int = 0
    """The number of what asked for a token last; the numbers rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """All of them, by name."""

    known: Mapping[str, Bucket] = field(default_factory=dict)

    def took(self, name: str, number: int, now: datetime) -> tuple["Buckets", bool]:
        """Take a token for what has a number, and say whether it counts: not if it asked before."""
        at = int(now.timestamp())
        bucket = _filled(self.known.get(name, Bucket(at=at)), at)
        if number <= bucket.last:
            return self, False
        if bucket.tokens > 0:
            left = replace(bucket, tokens=bucket.tokens - 1, last=number)
        else:
            left = replace(bucket, refused=bucket.refused + 1, refused_at=at, last=number)
        return Buckets(known={**self.known, name: left}), bucket.tokens > 0

    def refused(self, now: datetime) -> Iterator[tuple[str, int]]:
        """Yield what was refused lately, and how often."""
        for name, each in self.known.items():
            if each.refused and now.timestamp() - each.refused_at < RECENT:
                yield name, each.refused

    def memos(self) -> Iterator[Memo]:
        """Say what is to be remembered."""
        for name, each in self.known.items():
            yield Memo(subject=f"{_NAMES}{name}", fields=asdict(each))


def remembered(past: Past) -> Buckets:
    """Return the buckets of before."""
    return Buckets(
        known={
            subject.removeprefix(_NAMES): Bucket(
                **{key: int(value) for key, value in level.fields.items()}
            )
            for (name, subject), level in past.items()
            if not name and subject.startswith(_NAMES)
        }
    )


def _filled(bucket: Bucket, at: int) -> Bucket:
    """Return what a bucket holds by now; a clock that was set back fills none."""
    tokens = min(HOLDS, bucket.tokens + max(0, at - bucket.at))
    return replace(bucket, tokens=tokens, at=at)
