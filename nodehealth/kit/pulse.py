"""Whether the event loop still turns: a stamp that it renews, and how old the stamp may be."""

import asyncio
from datetime import timedelta
from typing import Final, NoReturn

LIMIT: Final = timedelta(seconds=30)
_BEATS: Final = 10
"""How often the stamp is renewed within its limit."""


class Pulse:
    """The last time the event loop turned, by its own clock.

    A loop that stands still answers nobody; one that crawls is found here.

    Args:
        limit: How long it may stand still.
    """

    def __init__(self, limit: timedelta = LIMIT) -> None:
        self._limit = limit.total_seconds()
        self._beaten = asyncio.get_running_loop().time()

    async def run(self) -> NoReturn:
        """Renew the stamp until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._beaten = loop.time()
            await asyncio.sleep(self._limit / _BEATS)

    def missing(self) -> str:
        """Say that the loop stood still for too long; nothing when it turns."""
        silent = asyncio.get_running_loop().time() - self._beaten
        if silent <= self._limit:
            return ""
        return f"the event loop has not turned for {silent:.0f} s; {self._limit:g} s are allowed"
