"""When disruption may begin: spans of the week by the clocks of a place."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nodehealth.repair import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of the day on some days; one that passes midnight belongs to the day it begins on."""

    days: frozenset[int]
    """Monday is 0."""
    opens: int
    """Minutes since midnight, as the clocks of the zone show them."""
    closes: int
    """The same; not after `opens` where it passes midnight."""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of a pool or of the cluster; without any it is always open."""

    open: tuple[Window, ...] = ()
    excepted: frozenset[Severity] = field(default_factory=frozenset)
    """How bad a fault is that need not wait for a window."""


ALWAYS = Windows()
