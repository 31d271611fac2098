"""How fast pods are asked to leave: so many a second, and who may not leave ever less often."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from nodehealth.kit.clocks import Clock

FIRST: Final = timedelta(seconds=5)
"""The pause after a first refusal that asks for none."""
LONGEST: Final = timedelta(minutes=1)
"""The longest pause between two requests for one pod, unless the server asks for more."""
_FORGOTTEN: Final = timedelta(minutes=10)
_JITTER: Final = 0.2
"""By which share a pause may be shorter or longer, so that not all come back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocked:
    until: datetime
    tries: int
    why: str


class Pacing:
    """What is remembered between two passes of drains; losing it costs a request for each pod.

    Args:
        clock: The present time.
        random: Where the jitter of pauses comes from; without it there is none.
    """

    def __init__(self, clock: Clock, random: Random | None = None) -> None:
        self._clock, self._random = clock, random
        self._blocked: dict[str, _Blocked] = {}
        self._free = 0.0

    async def turn(self, rate: int) -> None:
        """Wait until one more request may be sent, of `rate` a second in all drains together."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free)
        self._free = at + 1 / rate
        await asyncio.sleep(at - now)

    def held(self, uid: str) -> str:
        """Say why a pod is not to be asked yet; the empty string when it may be."""
        blocked = self._blocked.get(uid)
        return blocked.why if blocked is not None and self._clock() < blocked.until else ""

    def left(self, uid: str) -> timedelta:
        """Say for how long a pod is not to be asked."""
        blocked, now = self._blocked.get(uid), self._clock()
        return max(blocked.until - now, timedelta()) if blocked is not None else timedelta()

    def refusals(self, uid: str) -> int:
        """Say how often a pod was refused of late."""
        blocked = self._blocked.get(uid)
        return blocked.tries + 1 if blocked is not None else 0

    def block(self, uid: str, why: str, *, first: timedelta, asked: timedelta | None) -> None:
        """Leave a pod alone for a while: twice as long each time, and as long as we were asked to.

        Args:
            uid: The pod.
            why: Why it may not leave.
            first: The pause after the first refusal.
            asked: The pause that the server asks for.
        """
        now = self._clock()
        before = self._blocked.get(uid)
        tries = before.tries + 1 if before is not None else 0
        pause = min(first * 2 ** min(tries, 16), LONGEST) * self._luck()
        until = now + max(pause, asked or timedelta())
        self._blocked = {
            each: one for each, one in self._blocked.items() if now < one.until + _FORGOTTEN
        }
        self._blocked[uid] = _Blocked(until=until, tries=tries, why=why)

    def free(self, uid: str) -> None:
        """Forget a pod that was let go."""
        self._blocked.pop(uid, None)

    def _luck(self) -> float:
        return 1 + _JITTER * self._random.uniform(-1, 1) if self._random is not None else 1
