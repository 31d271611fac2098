"""How often the agent may write: at once after quiet, then ever more seldom, never in silence.

Pure: times are seconds of a clock that never jumps.
"""

from dataclasses import dataclass
from typing import Final

from agent.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """So many writes at once, and another one every so many seconds."""

    size: int
    every: float

    def filled(self, tokens: float, passed: float) -> float:
        """Return the tokens after some seconds in which none was taken."""
        return min(float(self.size), tokens + passed / self.every)

    def wait(self, tokens: float) -> float:
        """Return the seconds until there is a whole token."""
        return max(0.0, (1.0 - tokens) * self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The settings: any span of T seconds holds at most `size + T / every` writes a bucket."""

    ordinary: Bucket = Bucket(size=5, every=30.0)
    urgent: Bucket = Bucket(size=10, every=10.0)
    gap: float = 1.0
    """Seconds between any two writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What has been spent so far."""

    at: float
    """When it was last written."""
    refresh_at: float
    """When the next refresh is due."""
    ordinary: float
    urgent: float


DEFAULT: Final = Budget()


def due(budget: Budget, account: Account | None, change: Change) -> float:
    """Return when the next write may be made: at once where nothing was ever written.

    A refresh waits for no token: it is counted from the last write of any kind. A change that came
    meanwhile travels with it.
    """
    if account is None:
        return 0.0
    refresh = max(account.refresh_at, account.at + budget.gap)
    if change is Change.NONE:
        return refresh
    ordinary = max(budget.gap, budget.ordinary.wait(account.ordinary))
    if change is Change.ORDINARY:
        return min(refresh, account.at + ordinary)
    urgent = max(budget.gap, budget.urgent.wait(account.urgent))
    return min(refresh, account.at + min(ordinary, urgent))


def spent(
    budget: Budget, account: Account | None, change: Change, now: float, refresh_at: float
) -> Account:
    """Return the account after a write: an urgent one is paid from the urgent bucket first."""
    if account is None:
        account = Account(
            at=now, refresh_at=now, ordinary=budget.ordinary.size, urgent=budget.urgent.size
        )
    passed = max(0.0, now - account.at)
    ordinary = budget.ordinary.filled(account.ordinary, passed)
    urgent = budget.urgent.filled(account.urgent, passed)
    pays_urgent = change is Change.URGENT and urgent >= _WHOLE
    pays_ordinary = not pays_urgent and change is not Change.NONE
    return Account(
        at=now,
        refresh_at=refresh_at,
        ordinary=max(0.0, ordinary - pays_ordinary),
        urgent=max(0.0, urgent - pays_urgent),
    )


_WHOLE: Final = 1 - 1e-9
"""A whole token, as sums of fractions reach it."""
