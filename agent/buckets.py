"""How much is told one by one: as long as a bucket of tokens lasts, which fills by the second.

What comes when a bucket is empty is counted all the same, but told together. Buckets are remembered
over restarts of the agent: what is read again gets no second token and is not told again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Final, TypeAlias

from agent.probe import Past
from agent.readings import FLEETING, Memo, Occurrence

HOLDS: Final = 1000
"""Tokens in a full one; one more comes each second."""
SIGNAL: Final = "kernel.lines_suppressed"
_NAMES: Final = f"{FLEETING}bucket "

_Alike: TypeAlias = tuple[str, str, str, tuple[tuple[str, int | str], ...], datetime]


@dataclass(slots=True, kw_only=True)
class _Bucket:
    """Where one stands; only a teller changes it."""

    tokens: int = HOLDS
    at: int = 0
    """As of when, in seconds since 1970."""
    suppressed: int = 0
    """How much was not told by itself, for it was empty."""
    last: int = 0
    """The number of what asked for a token last; the numbers rise."""

    def fill(self, at: int) -> None:
        """Put in what came by now; a clock that was set back fills none."""
        self.tokens = min(HOLDS, self.tokens + max(0, at - self.at))
        self.at = at


_FIELDS: Final = tuple(each.name for each in fields(_Bucket))


class Teller:
    """Tells what one look of a probe found, by patterns each of which has a bucket.

    Args:
        past: What the probe remembered.
        now: When it looks.
    """

    def __init__(self, past: Past, now: datetime) -> None:
        self._known = dict(_remembered(past))
        self._now, self._at = now, int(now.timestamp())
        self._single = list[Occurrence]()
        self._alike = dict[_Alike, tuple[Occurrence, int]]()
        self._suppressed = Counter[str]()

    def tell(self, pattern: str, source: str, occurrence: Occurrence) -> None:
        """Tell what a source of lines says: if it said so before, it is not told again."""
        name = f"{source} {pattern}"
        bucket = self._known.get(name)
        if bucket is None:
            bucket = self._known[name] = _Bucket(at=self._at)
        if occurrence.position <= bucket.last:
            return
        if bucket.at != self._at:
            bucket.fill(self._at)
        bucket.last = occurrence.position
        if bucket.tokens > 0:
            bucket.tokens -= 1
            self._single.append(occurrence)
            return
        bucket.suppressed += 1
        self._suppressed[pattern] += 1
        alike = _alike(occurrence)
        _, before = self._alike.get(alike, (occurrence, 0))
        self._alike[alike] = occurrence, before + occurrence.count

    def told(self) -> Iterator[Occurrence]:
        """Yield all that is told, and how much of it not by itself."""
        yield from self._single
        for last, count in self._alike.values():
            yield replace(last, count=count)
        for pattern, count in self._suppressed.items():
            yield Occurrence(name=SIGNAL, at=self._now, subject=pattern, count=count)

    def memos(self) -> Iterator[Memo]:
        """Say what is to be remembered."""
        for name, each in self._known.items():
            yield Memo(subject=f"{_NAMES}{name}", fields=asdict(each))


def suppressed(past: Past) -> Mapping[str, int]:
    """Return by pattern how much was not told by itself in this boot."""
    counts = Counter[str]()
    for name, bucket in _remembered(past):
        counts[name.rpartition(" ")[2]] += bucket.suppressed
    return counts


def _remembered(past: Past) -> Iterator[tuple[str, _Bucket]]:
    for (name, subject), level in past.items():
        if not name and subject.startswith(_NAMES):
            known = {each: int(level.fields.get(each, 0)) for each in _FIELDS}
            yield subject.removeprefix(_NAMES), _Bucket(**known)


def _alike(occurrence: Occurrence) -> _Alike:
    said = tuple(sorted(occurrence.fields.items()))
    second = occurrence.at.replace(microsecond=0)
    return occurrence.name, occurrence.subject, occurrence.source, said, second
