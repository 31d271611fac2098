"""What the remedies of ladders mean to each other: which prepares, which makes another needless."""

from collections.abc import Iterable, Mapping
from typing import Final

from nodehealth import quantities
from nodehealth.repair import Rung

REPLACE: Final = "replace"
PREPARES: Final = frozenset({"drain"})
"""Those that mend nothing: what they are for comes after them."""
_WHOLE: Final[Mapping[str, int]] = {"reboot": 2, "power-cycle": 3, REPLACE: 5}
"""Those of the whole machine, and how far they reach."""
_REACH: Final[Mapping[str, int]] = {"drain": 0, "restart-service": 1, "reset-gpu": 1, **_WHOLE}
_ITS_OWN: Final = 4
"""How far a remedy reaches of which only its author knows what it does."""


def prepares(rung: Rung) -> bool:
    """Say whether a remedy mends nothing by itself."""
    return rung.action in PREPARES


def same(one: Rung, other: Rung) -> bool:
    """Say whether two rungs are one remedy: how long each may take makes no difference."""
    return one.action == other.action and _what(one) == _what(other)


def reach(rung: Rung) -> int:
    """Say how far a remedy reaches: what reaches further costs more and mends more."""
    return _REACH.get(rung.action, _ITS_OWN)


def is_needless(rung: Rung, done: Iterable[Rung]) -> bool:
    """Say whether a remedy could mend nothing after others: one on the whole machine took it in."""
    return any(each.action in _WHOLE and reach(each) > reach(rung) for each in done)


def _what(rung: Rung) -> Mapping[str, int | str]:
    return {name: value for name, value in rung.settings.items() if not _is_time(value)}


def _is_time(value: int | str) -> bool:
    try:
        quantities.duration(str(value))
    except ValueError:
        return False
    return True
