"""What the remedies of ladders mean to each other: which prepares, which makes another needless."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from nodehealth import quantities
from nodehealth.repair import Rung

REPLACE: Final = "replace"
POWER_CYCLE: Final = "power-cycle"
PREPARES: Final = frozenset({"drain"})
"""Those that mend nothing: what they are for comes after them."""
_WHOLE: Final[Mapping[str, int]] = {"reboot": 2, POWER_CYCLE: 3, REPLACE: 5}
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


def mending(whole: Sequence[Rung], own: Sequence[int]) -> tuple[int, ...]:
    """Return which rungs of a ladder may mend: the last one does, whatever it is."""
    return tuple(n for n in own if n == own[-1] or not prepares(whole[n]))


def left(
    whole: Sequence[Rung], own: Sequence[int], begun: Collection[int], others: Collection[Rung]
) -> tuple[int, ...]:
    """Return what is left of a ladder: it goes on after the last of its remedies that was tried.

    What only prepares is never left out before a remedy that it is for.

    Args:
        whole: All remedies, by their number.
        own: The ladder.
        begun: The remedies that were tried, of this ladder or another.
        others: What was done besides to the node that the ladder does not speak of.
    """
    able = mending(whole, own)
    reached = max((own.index(n) for n in able if n in begun), default=-1)
    ahead = [n for n in able if own.index(n) > reached and not is_needless(whole[n], others)]
    if not ahead:
        return ()
    prepared = {whole[n].action for n in begun if prepares(whole[n])}
    needed = [
        n for n in own[: own.index(ahead[-1])] if n not in able and whole[n].action not in prepared
    ]
    return tuple(n for n in own if n in {*ahead, *needed})


def _what(rung: Rung) -> Mapping[str, int | str]:
    return {name: value for name, value in rung.settings.items() if not _is_time(value)}


def _is_time(value: int | str) -> bool:
    try:
        quantities.duration(str(value))
    except ValueError:
        return False
    return True
