"""Doing something again and again: at a pace, within a deadline, slower while it fails.

The only place that catches whatever a piece of work raises: a loop outlives its work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Final, NoReturn, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = timedelta(seconds=1)


def backoff(
    first: timedelta, most: timedelta, *, random: Random, factor: float = 2.0
) -> Iterator[timedelta]:
    """Yield pauses that double up to a limit, each cut by up to half so that crowds disperse."""
    pause = first.total_seconds()
    limit = most.total_seconds()
    while True:
        yield timedelta(seconds=pause * random.uniform(0.5, 1.0))
        pause = min(pause * factor, limit)


def jittered(interval: timedelta, jitter: float, random: Random) -> timedelta:
    """Stretch or shorten an interval by up to a share of it."""
    return interval * (1.0 + jitter * random.uniform(-1.0, 1.0))


async def every(
    interval: timedelta,
    work: Callable[[], Awaitable[object]],
    *,
    name: str,
    random: Random,
    jitter: float = 0.1,
    deadline: timedelta | None = None,
    sooner: Callable[[], Awaitable[object]] | None = None,
    least: timedelta = timedelta(),
    at_once: Callable[[], Awaitable[object]] | None = None,
) -> NoReturn:
    """Do the work at once and then in every interval, until cancelled.

    The interval runs from start to start; work that overruns it starts again at once. Work that
    raises, or overruns its deadline, is logged and tried again after a pause that grows up to the
    interval.

    Args:
        interval: The time from one start to the next.
        work: What to do.
        name: What the log calls it.
        random: Where the jitter comes from.
        jitter: The share of the interval by which it varies.
        deadline: After how long the work is cancelled; the interval if None.
        sooner: Returns when the work is worth doing before the interval is over.
        least: The least time from the end of the work to its next start where it is done sooner.
        at_once: Returns when not even that time may pass.
    """
    loop = asyncio.get_running_loop()
    limit = deadline or interval
    pauses = _pauses(interval, random)
    while True:
        started = loop.time()
        if await survived(work, name=name, deadline=limit):
            pauses = _pauses(interval, random)
            rest = jittered(interval, jitter, random).total_seconds() - (loop.time() - started)
            await _rested(max(0.0, rest), sooner, least.total_seconds(), at_once, name)
        else:
            await asyncio.sleep(next(pauses).total_seconds())


async def _rested(
    seconds: float,
    sooner: Callable[[], Awaitable[object]] | None,
    least: float,
    at_once: Callable[[], Awaitable[object]] | None,
    name: str,
) -> None:
    """Wait for some seconds, or until there is a reason to do the work sooner."""
    if sooner is None or least >= seconds:
        await asyncio.sleep(seconds)
        return
    if at_once is None:
        await asyncio.sleep(least)
    else:
        await _waited(least, at_once, name)
    await _waited(seconds - least, sooner, name)


async def _waited(seconds: float, reason: Callable[[], Awaitable[object]], name: str) -> None:
    """Wait for some seconds, or until there is a reason not to."""
    try:
        async with asyncio.timeout(seconds):
            if await survived(reason, name=f"waking of {name}"):
                return
            await asyncio.sleep(seconds)  # who cannot tell has no reason
    except TimeoutError:
        return


async def survived(
    work: Callable[[], Awaitable[object]], *, name: str, deadline: timedelta | None = None
) -> bool:
    """Do the work once; whatever it raises is logged with its traceback, and false returned."""
    try:
        async with asyncio.timeout(deadline.total_seconds() if deadline is not None else None):
            await work()
    except Exception:
        logger.exception("%s failed", name)
        return False
    return True


async def attempted(work: Callable[[], Awaitable[T]]) -> T | Exception:
    """Do the work once, and return what came of it or whatever it raised, for others to judge."""
    try:
        return await work()
    except Exception as raised:  # noqa: BLE001 - it is returned, not lost
        return raised


def _pauses(interval: timedelta, random: Random) -> Iterator[timedelta]:
    return backoff(min(_FIRST_PAUSE, interval), interval, random=random)
