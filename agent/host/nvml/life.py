"""The life of the driver: what it means that it is away, and for how long it may be."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from agent.host.nvml.facts import Driver
from agent.host.nvml.ways import NO_PERMISSION

GRACE: Final = timedelta(minutes=10)
"""How long a driver may be away, or refuse NVML, as it does while it is being exchanged."""
NOT_LOADED: Final = 9
DEAD: Final = frozenset({1, NOT_LOADED, 18, 999})
"""What NVML returns when the driver below it is not the one that it was opened with any more:
uninitialised, not loaded, another version, unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What has been seen of the driver."""

    module: str = ""
    """The version that is loaded; `?` where only NVML itself can tell."""
    number: int = 0
    """Counts the drivers that there were: what was learnt of one need not hold for the next."""
    is_up: bool = False
    """Whether NVML is open."""
    code: int = 0
    """What nvmlInit returned last, or how NVML said that it is dead."""
    away_since: float | None = None
    """Since when NVML cannot be used, though there is or was a driver."""


def glanced(life: Life, module: str, now: float) -> Life:
    """Take note of which driver is loaded."""
    if module == life.module:
        return life
    away = life.away_since if life.away_since is not None else now
    known = replace(life, module=module, is_up=False, away_since=away)
    return replace(known, code=NOT_LOADED) if not module else replace(known, number=life.number + 1)


def opened(life: Life) -> Life:
    """Take note that NVML is open."""
    return replace(life, is_up=True, code=0, away_since=None)


def refused(life: Life, code: int, now: float) -> Life:
    """Take note that NVML cannot be opened, or is dead."""
    away = life.away_since if life.away_since is not None else now
    was_up = life.is_up
    number = life.number + 1 if was_up else life.number
    return replace(life, is_up=False, code=code, away_since=away, number=number)


def standing(life: Life, now: float) -> tuple[Driver, int]:
    """Say how the driver stands, and with which code NVML refused last while it is not up."""
    if life.is_up:
        return Driver.UP, 0
    if not life.number:
        return Driver.ABSENT, 0
    if life.code == NO_PERMISSION:
        return Driver.BARRED, 0
    if life.away_since is None or now - life.away_since < GRACE.total_seconds():
        return Driver.STARTING, life.code
    if not life.code:
        return Driver.UNKNOWN, 0
    return Driver.FAILED, life.code
