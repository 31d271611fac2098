"""What the simulated world does next, in the order of its time, one thing after another."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Final, NoReturn, TypeAlias

Work: TypeAlias = Callable[[], None]

_TURN: Final = 0.02
"""For how many seconds the world may act before others get the loop."""


class Agenda:
    """Work that waits for its time; ties go to what was asked for first.

    One task does all of it, so that the world never runs in parallel to itself and the same
    beginning always has the same history. Work that raises ends that task, and so the world.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Work]] = []
        self._order = count()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def soon(self, work: Work) -> None:
        """Do something as soon as what happens now is over."""
        self.after(timedelta(0), work)

    def after(self, pause: timedelta, work: Work) -> None:
        """Do something after a pause."""
        when = self._loop.time() + pause.total_seconds()
        heapq.heappush(self._due, (when, next(self._order), work))
        if self._due[0][0] == when:
            self._news.set()

    async def run(self) -> NoReturn:
        """Do what is due, until cancelled."""
        while True:
            self._work()
            await self._rest()

    def _work(self) -> None:
        began, clock = self._loop.time(), self._loop.time
        now = began
        while self._due and self._due[0][0] <= now and now - began < _TURN:
            heapq.heappop(self._due)[2]()
            now = clock()

    async def _rest(self) -> None:
        self._news.clear()
        pause = self._due[0][0] - self._loop.time() if self._due else None
        if pause is not None and pause <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(pause):
                await self._news.wait()
        except TimeoutError:
            return


class Dirty:
    """Names that need another look: each is looked at once, however often it was marked.

    Args:
        agenda: When the look is taken.
        look: What to do for one name.
        pause: How long to wait for more to happen to it.
    """

    def __init__(
        self, agenda: Agenda, look: Callable[[str], None], pause: timedelta = timedelta(0)
    ) -> None:
        self._agenda = agenda
        self._look = look
        self._pause = pause
        self._marked: dict[str, None] = {}

    def mark(self, name: str) -> None:
        """Have a look at this name."""
        if name not in self._marked:
            self._marked[name] = None
            self._agenda.after(self._pause, lambda: self._take(name))

    def _take(self, name: str) -> None:
        del self._marked[name]
        self._look(name)
