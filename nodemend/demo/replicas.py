"""The demo's remediators: the one that leads is frozen in the midst of a repair, and woken."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, NoReturn

import msgspec

from nodehealth.kit.clocks import Clock
from nodemend.demo.processes import Program

FROZEN_FOR: Final = timedelta(minutes=1)
_AFTERWARDS: Final = timedelta(seconds=5)
"""How long is waited for what one does that wakes up after so long."""
_LOOK_AGAIN: Final = 0.2


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """How it went with the one that was frozen."""

    replica: str
    seconds: float
    taken_over_by: str
    taken_over_after_s: float


class Replicas:
    """All of them as one.

    Args:
        programs: By their names among the replicas.
        leader: Says who leads, by the Lease; nothing while nobody does.
        clock: The present time.
    """

    def __init__(
        self, programs: Mapping[str, Program], leader: Callable[[], str], clock: Clock
    ) -> None:
        self._programs, self._leader, self._clock = programs, leader, clock

    async def start(self) -> None:
        """Start them."""
        await asyncio.gather(*(each.start() for each in self._programs.values()))

    async def stop(self) -> None:
        """End them, the frozen one too."""
        await asyncio.gather(*(each.stop() for each in self._programs.values()))

    async def ended(self) -> str:
        """Wait until one ends that should not, and say what it said last."""
        waiting = [asyncio.create_task(each.ended()) for each in self._programs.values()]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def follow(self, beginning: str, told: Callable[[str], None]) -> NoReturn:
        """Tell of each line of their logs that begins like this, until cancelled."""
        following = (each.follow(beginning, told) for each in self._programs.values())
        await asyncio.gather(*following)
        raise AssertionError("a log is followed for ever")

    async def freeze(self, say: Callable[[str], None]) -> Frozen:
        """Freeze the leader, let another one take over, and wake it after a minute."""
        one = self._leader()
        began = self._clock()
        say(f"freezes remediator {one}, which leads, for {FROZEN_FOR.seconds} s (SIGSTOP)")
        os.kill(self._programs[one].pid, signal.SIGSTOP)
        while self._leader() in {"", one}:  # noqa: ASYNC110 - the simulator has no event for it
            await asyncio.sleep(_LOOK_AGAIN)
        other, after = self._leader(), self._clock() - began
        say(f"remediator {other} leads after {after.total_seconds():.1f} s and goes on")
        await asyncio.sleep(max(0.0, (FROZEN_FOR - after).total_seconds()))
        os.kill(self._programs[one].pid, signal.SIGCONT)
        slept = self._clock() - began
        say(f"wakes remediator {one}, which still believes that it leads")
        await asyncio.sleep(_AFTERWARDS.total_seconds())
        return Frozen(
            replica=one,
            seconds=round(slept.total_seconds(), 1),
            taken_over_by=other,
            taken_over_after_s=round(after.total_seconds(), 1),
        )
