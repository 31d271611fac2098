"""When something happened: the last 16 times exactly, a day's counts in buckets."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, structs

from nodehealth.kube.objects import Struct

LAST: Final = 16
FIVE_MINUTES: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MOST_AGO: Final = 10 * 366 * 24 * 3600
_YEARS: Final = range(1970, 9000)
"""The years of which times are believed: nobody can reckon with the first or last time of all."""
_WHOLE: Final = ((FIVE_MINUTES, 11 * FIVE_MINUTES), (HOUR, 23 * HOUR))
"""The buckets that a time may be made of, and the longest one that is remembered whole."""

Time: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A time as a node tells it: one without its time zone is none."""


class History(Struct, frozen=True, kw_only=True):
    """The past of an event or of a level's flips, in a size that never grows."""

    last: Annotated[tuple[Time, ...], Meta(max_length=LAST)] = ()
    """The last times it happened, oldest first."""
    until: Time | None = None
    """The end of the newest bucket of each row."""
    five_minutes: Annotated[tuple[int, ...], Meta(max_length=12)] = ()
    """Counts of the last 12 spans of five minutes, oldest first; the newest holds `until`."""
    hours: Annotated[tuple[int, ...], Meta(max_length=24)] = ()
    """Counts of the last 24 spans of one hour, oldest first; the newest holds `until`."""
    ago: Annotated[tuple[Annotated[int, Meta(ge=0, le=_MOST_AGO)], ...], Meta(max_length=LAST)] = ()
    """On the wire only, in place of `last`: how many seconds before `until` each of them was; the
    counts begin with the first that is not zero then."""

    def __post_init__(self) -> None:
        """Give each time as it is: nobody else sees them packed.

        Raises:
            ValueError: it tells of a time that nobody can reckon with.
        """
        for each in (*self.last, *((self.until,) if self.until is not None else ())):
            check(each)
        if self.ago and self.until is not None:
            last = tuple(self.until - timedelta(seconds=each) for each in self.ago)
            structs.force_setattr(self, "last", last)
            structs.force_setattr(self, "five_minutes", _padded(self.five_minutes, 12))
            structs.force_setattr(self, "hours", _padded(self.hours, 24))
        if self.ago:
            structs.force_setattr(self, "ago", ())


def check(at: datetime) -> None:
    """Refuse a time so far away that to reckon with it fails.

    Raises:
        ValueError: it is so far away.
    """
    if at.year not in _YEARS:
        raise ValueError(f"expected a time from {_YEARS[0]} to {_YEARS[-1]}, got {at}")


def packed(history: History) -> History:
    """Return a history as it travels, in whole seconds."""
    if history.until is None:
        return history
    until = history.until.replace(microsecond=0)
    ago = tuple((until - each.replace(microsecond=0)) // _SECOND for each in history.last)
    if not all(0 <= each <= _MOST_AGO for each in ago):
        last = tuple(each.replace(microsecond=0) for each in history.last)
        return structs.replace(history, last=last, until=until)
    thin = History(until=until, five_minutes=_cut(history.five_minutes), hours=_cut(history.hours))
    structs.force_setattr(thin, "ago", ago)  # it would unpack itself at once
    return thin


def record(history: History, at: datetime, count: int = 1) -> History:
    """Add something that happened; a time before the newest one counts as the newest one."""
    until = max(at, history.until or at)
    return History(
        last=(*history.last, *(at for _ in range(min(count, LAST))))[-LAST:],
        until=until,
        five_minutes=_shifted(history.five_minutes, history.until, until, FIVE_MINUTES, 12, count),
        hours=_shifted(history.hours, history.until, until, HOUR, 24, count),
    )


def count_since(history: History, since: datetime) -> int:
    """Count what happened at or after a time, within the day that is remembered.

    Exact while the sixteen remembered times reach back far enough; else whole buckets count, the
    one that contains `since` included, so the count is never less than the truth.
    """
    exact = sum(at >= since for at in history.last)
    if exact < LAST or history.until is None:
        return exact
    for row, span in ((history.five_minutes, FIVE_MINUTES), (history.hours, HOUR)):
        spans = _spans(since, history.until, span) + 1
        if spans <= len(row):
            return max(exact, sum(row[-spans:]) if spans > 0 else 0)
    return max(exact, sum(history.hours))


def refusal(within: timedelta, count: int) -> str:
    """Say why nobody can tell whether so much happened in a time; nothing when it can be told.

    Up to sixteen times are known exactly. What is more is counted in whole buckets, so the time
    must be made of them, and one more is needed because time does not begin where a bucket does.
    """
    if within > DAY:
        return "agents remember one day"
    if count <= LAST:
        return ""
    if any(within % span == timedelta() and within <= most for span, most in _WHOLE):
        return ""
    return (
        f"more than {LAST} times are only counted in whole buckets: expected 5m, 10m and so on up "
        "to 55m, or 1h, 2h and so on up to 23h"
    )


def _padded(row: tuple[int, ...], length: int) -> tuple[int, ...]:
    return (0,) * (length - len(row)) + row if row else row


def _cut(row: tuple[int, ...]) -> tuple[int, ...]:
    """Leave out the zeros of long ago; one that is all zeros stays."""
    first = next((at for at, count in enumerate(row) if count), 0)
    return row[first:]


def _shifted(
    row: tuple[int, ...],
    was: datetime | None,
    now: datetime,
    span: timedelta,
    length: int,
    count: int,
) -> tuple[int, ...]:
    padded = (0,) * (length - len(row)) + row
    moved = min(length, 0 if was is None else _spans(was, now, span))
    kept = (*padded[moved:], *(0,) * moved)
    return (*kept[:-1], kept[-1] + count)


def _spans(start: datetime, end: datetime, span: timedelta) -> int:
    """Count the bucket borders between two times; borders lie on whole multiples since 1970."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (end - epoch) // span - (start - epoch) // span
