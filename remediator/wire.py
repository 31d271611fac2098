"""How our requests to the API server fared lately: when many fail, what we see may be old."""

import asyncio
from collections import deque
from typing import Final

from nodehealth.kube.metered import UNANSWERED
from remediator.decide.trips import Crowd

_REMEMBERED: Final = 60.0
"""For how many seconds a request counts."""
_STEP: Final = 5.0
"""How many seconds are counted together."""
_SLOW: Final = 10.0
"""An answer that takes so many seconds is as good as none."""


class Wire:
    """Counts requests of the last minute, whatever the clocks say."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int, int]] = deque()

    def requested(self, verb: str, code: str, seconds: float) -> None:
        """Take in how a request went."""
        failed = code == UNANSWERED or code.startswith("5")
        slow = verb != "watch" and seconds > _SLOW
        at = self._step()
        began, asked, bad = self._counts.pop() if self._counts else (at, 0, 0)
        if began != at:
            self._counts.append((began, asked, bad))
            asked = bad = 0
        self._counts.append((at, asked + 1, bad + (failed or slow)))

    def lately(self) -> Crowd:
        """Return how many requests there were, and how many of them failed."""
        since = self._step() - _REMEMBERED
        while self._counts and self._counts[0][0] <= since:
            self._counts.popleft()
        return Crowd(
            all=sum(asked for _, asked, _ in self._counts),
            amiss=sum(bad for *_, bad in self._counts),
        )

    def _step(self) -> float:
        return asyncio.get_running_loop().time() // _STEP * _STEP
