"""How long a short piece of work takes: many rounds of many calls, and how far they lie apart."""

import gc
import time
from collections.abc import Callable
from typing import Final

from bench.figures import Figures, spread

Calls = Callable[[int], None]
"""Does the work so many times."""

_ROUNDS: Final = 9


def micros(calls: Calls, seconds: float, *, rounds: int = _ROUNDS) -> Figures:
    """Return the microseconds of one call, in rounds that last so long each."""
    count = _count(calls, seconds)
    return spread([1e6 * _timed(calls, count) / count for _ in range(rounds)])


def _count(calls: Calls, seconds: float) -> int:
    """Find how many calls fill a round."""
    count = 1
    while (took := _timed(calls, count)) < seconds / 10:
        count *= 2
    return max(1, round(count * seconds / took))


def _timed(calls: Calls, count: int) -> float:
    """Time some calls without the collector, whose work is not theirs alone."""
    collects = gc.isenabled()
    gc.disable()
    try:
        begun = time.perf_counter()
        calls(count)
        return time.perf_counter() - begun
    finally:
        if collects:
            gc.enable()
