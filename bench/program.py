"""What one of nodemend's own programs costs while it runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench import cores
from bench.figures import Figures, short
from bench.server import MeasurementError
from nodemend.demo.processes import Program

_WITHIN: Final = 120.0
_LOOK_AGAIN: Final = 0.1


@asynccontextmanager
async def running(name: str, command: list[str], folder: Path) -> AsyncIterator[Program]:
    """Run a program, and end it with the context."""
    program = Program(name, command, log=folder / f"{name}.log")
    await program.start()
    try:
        yield program
    finally:
        await program.stop()


async def until(program: Program, holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something that a program does.

    Raises:
        MeasurementError: it ended, or it takes too long.
    """
    ended = asyncio.create_task(program.ended())
    try:
        async with asyncio.timeout(_WITHIN):
            while not await holds():
                if ended.done():
                    raise MeasurementError(ended.result())
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError as late:
        said = await program.last_words()
        raise MeasurementError(f"no {what} in {_WITHIN:g} s: {said}") from late
    finally:
        ended.cancel()


async def idling(program: Program, seconds: float) -> Figures:
    """Measure a program while nothing happens."""
    (before, _), begun = cores.usage(program.pid), time.perf_counter()
    await asyncio.sleep(seconds)
    spent, memory = cores.usage(program.pid)
    share = (spent - before) / (time.perf_counter() - begun)
    return {"rss_mib": memory, "cpu_percent": short(100 * share), "seconds": seconds}
