"""Looks at what was touched or is due, at many nodes at once, never at one node twice at once."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Final

from nodehealth.kit.clocks import Clock

_LANES: Final = 32
"""How many nodes are looked at at once."""


class Lanes:
    """Has each node looked at that was touched or whose time has come, until stopped.

    Args:
        look: Looks at one node; it raises nothing.
        clock: The present time.
    """

    def __init__(self, look: Callable[[str], Coroutine[None, None, None]], *, clock: Clock) -> None:
        self._look, self._clock = look, clock
        self._dirty: dict[str, None] = {}
        self._busy: set[str] = set()
        self._due: dict[str, datetime] = {}
        """By node, the one timer that counts; later ones are set when it has rung."""
        self._timers: list[tuple[datetime, str]] = []
        self._woken = asyncio.Event()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Look at nothing new; `run` returns when the looks under way are done."""
        self._stop.set()
        self._woken.set()

    def touch(self, node: str) -> None:
        """Have a node looked at soon."""
        self._dirty[node] = None
        self._woken.set()

    def remind(self, node: str, due: datetime | None) -> None:
        """Have a node looked at then at the latest, if ever."""
        before = self._due.get(node)
        if due is not None and (before is None or due < before):
            self._due[node] = due
            heapq.heappush(self._timers, (due, node))

    def is_due(self, node: str) -> bool:
        """Say whether a node will be looked at although nobody touches it."""
        return node in self._due

    def forget_timers(self) -> None:
        """Look at nothing but what is touched."""
        self._due.clear()
        self._timers.clear()

    async def run(self) -> None:
        """Look at each node that is touched or due, until stopped."""
        lanes = asyncio.Semaphore(_LANES)
        async with asyncio.TaskGroup() as tasks:
            while not self._stop.is_set():
                await self._wait()
                for node in self._take():
                    await lanes.acquire()
                    if self._stop.is_set():
                        break
                    self._busy.add(node)
                    task = tasks.create_task(self._look(node), name=f"look at {node}")
                    task.add_done_callback(partial(self._done, node, lanes))

    async def _wait(self) -> None:
        self._ring()
        self._woken.clear()
        if self._stop.is_set() or self._dirty.keys() - self._busy:
            return
        pause = self._timers[0][0] - self._clock() if self._timers else None
        try:
            async with asyncio.timeout(pause.total_seconds() if pause is not None else None):
                await self._woken.wait()
        except TimeoutError:
            return

    def _ring(self) -> None:
        while self._timers and self._timers[0][0] <= self._clock():
            due, node = heapq.heappop(self._timers)
            if self._due.get(node) == due:
                del self._due[node]
                self.touch(node)

    def _take(self) -> list[str]:
        ready = [node for node in self._dirty if node not in self._busy]
        for node in ready:
            del self._dirty[node]
        return ready

    def _done(self, node: str, lanes: asyncio.Semaphore, _: asyncio.Task[None]) -> None:
        self._busy.discard(node)
        lanes.release()
        self._woken.set()
