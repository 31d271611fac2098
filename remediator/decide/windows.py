"""Disruption begins only inside the policy's windows, by the clocks of their places.

A window is open at a moment when a clock of its place shows a time in its span. So where a clock is
set forward past the beginning, it opens as soon as the clock is past it; and the hour that a clock
shows twice counts twice.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from nodehealth.repair import Severity
from remediator.decide.limits import Refused, Why
from remediator.rules.policy import Policy
from remediator.rules.windows import Window, Windows

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = 60
_DAY: Final = 24 * 60
_LONGEST: Final = timedelta(days=8)
"""No window is closed for longer than a week and a day."""


def refusal(
    holding: AbstractSet[Severity], pools: Iterable[str], policy: Policy, now: datetime
) -> Refused | None:
    """Say that a disruption may not begin now, and when it may; nothing if it may.

    Args:
        holding: How bad the faults are that hold now: what is over is no reason to hurry.
        pools: Which the node is in.
        policy: What people want.
        now: The time by the API server's clock.
    """
    shut = [
        (pool, windows)
        for pool in dict.fromkeys(pools)
        if not holding & (windows := policy.windows_of(pool)).excepted and not is_open(windows, now)
    ]
    if not shut:
        return None
    ends = [next_opening(windows, now) for _, windows in shut]
    until = max((end for end in ends if end is not None), default=None)
    names = ", ".join(pool for pool, _ in shut)
    zone = shut[0][1].open[0].zone
    opens = f"; the next one opens {_spoken(until, zone)}" if until is not None else ""
    message = f"outside the maintenance windows of pool {names}{opens}"
    return Refused(why=Why.OUTSIDE_WINDOW, message=message, until=until)


def is_open(windows: Windows, now: datetime) -> bool:
    """Say whether disruption may begin at a moment."""
    return not windows.open or any(_holds(each, now) for each in windows.open)


def next_opening(windows: Windows, now: datetime) -> datetime | None:
    """Find the first minute after a moment at which disruption may begin; nothing if there is none.

    Goes from one beginning to the next, and minute by minute where a clock is changed meanwhile.
    """
    at = now.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    end = at + _LONGEST
    while at < end:
        if is_open(windows, at):
            return at
        at += _leap(windows, at)
    return None


def _holds(window: Window, now: datetime) -> bool:
    local = now.astimezone(window.zone)
    minute, today = local.hour * _HOUR + local.minute, local.weekday()
    if window.opens < window.closes:
        return today in window.days and window.opens <= minute < window.closes
    yesterday = (today - 1) % 7
    return (today in window.days and minute >= window.opens) or (
        yesterday in window.days and minute < window.closes
    )


def _leap(windows: Windows, at: datetime) -> timedelta:
    """Return how long nothing can open, an hour at most."""
    leap = min(_until_opening(each, at) for each in windows.open)
    changed = any(
        at.astimezone(each.zone).utcoffset() != (at + leap).astimezone(each.zone).utcoffset()
        for each in windows.open
    )
    return _MINUTE if changed else leap


def _until_opening(window: Window, at: datetime) -> timedelta:
    """Return how long until the window begins on some day, or midnight, an hour at most."""
    local = at.astimezone(window.zone)
    minute = local.hour * _HOUR + local.minute
    return timedelta(minutes=min((window.opens - minute) % _DAY or _DAY, _DAY - minute, _HOUR))


def _spoken(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"at {local:%H:%M} on {local:%A, %Y-%m-%d} ({zone})"
