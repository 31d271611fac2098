"""For how long an event loop answered nobody, and whether it was at work meanwhile."""

import asyncio
import time
from typing import Final

from bench.figures import Figures, latency, short

TICK: Final = 0.005


class Pauses:
    """Measures the gaps between ticks of the running loop.

    A gap in which the thread used the CPU is the loop's own; in the rest of it, the machine gave
    the core to somebody else.
    """

    def __init__(self) -> None:
        self._gaps: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Tick until cancelled."""
        last, spent = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(TICK)
            now, cpu = time.perf_counter(), time.thread_time()
            gap = now - last - TICK
            self._gaps.append((gap, min(gap, cpu - spent)))
            last, spent = now, cpu

    def taken(self) -> Figures:
        """Return what was seen since the last time."""
        gaps, self._gaps = self._gaps, []
        busy = max((busy for _, busy in gaps), default=0.0)
        return {**latency([gap for gap, _ in gaps]), "longest_at_work_ms": short(1000 * busy)}
