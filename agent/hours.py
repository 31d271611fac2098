"""How much a counter grows within an hour: of what is harmless now and then, and a fault all day.

Hours follow one another. So nothing counts twice, and what happens about the end of one counts in
two parts; the last whole hour stands until the next one has ended, or is worse already.
"""

from dataclasses import dataclass
from typing import Final

from nodehealth.health import Fields

_HOUR: Final = 3600.0
_BEGAN: Final = "began"
_TOTAL: Final = "total"
_BEFORE: Final = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The present hour of a counter."""

    began: int
    """Seconds since the machine started."""
    total: int
    """What the counter stood at then."""
    before: int = 0
    """By how much it grew in the hour before."""

    @property
    def fields(self) -> Fields:
        """Return it as a memo remembers it."""
        return {_BEGAN: self.began, _TOTAL: self.total, _BEFORE: self.before}

    def most(self, total: int) -> int:
        """Return the growth of this hour or of the one before, whichever is more."""
        return max(self.before, total - self.total)


def of(known: Fields, total: int, uptime: float) -> Hour:
    """Return the hour that a counter is in.

    Args:
        known: What was remembered of it; nothing of one that is read for the first time.
        total: What the counter stands at. One that fell began anew, and so does its hour.
        uptime: Seconds since the machine started.
    """
    fresh = Hour(began=int(uptime), total=total)
    if not known:
        return fresh
    hour = Hour(began=int(known[_BEGAN]), total=int(known[_TOTAL]), before=int(known[_BEFORE]))
    if total < hour.total:
        return Hour(began=fresh.began, total=total, before=hour.before)
    took = uptime - hour.began
    if took < _HOUR:
        return hour
    before = round((total - hour.total) * _HOUR / took)
    return Hour(began=fresh.began, total=total, before=before)
