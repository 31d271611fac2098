"""What comes when it comes: kept until a probe asks for it, and worth waking it for."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 10_000


class Stream(Generic[T]):
    """A queue of one reader that never grows without bound: the oldest of too many is lost.

    Only the event loop's own thread may touch it.
    """

    def __init__(self, most: int = MOST) -> None:
        self._kept = deque[T](maxlen=most)
        self._filled = asyncio.Event()
        self.lost = 0
        """How many were lost so far because nobody took them in time."""

    def put(self, item: T) -> None:
        """Keep something for whoever asks next."""
        self.lost += len(self._kept) == self._kept.maxlen
        self._kept.append(item)
        self._filled.set()

    def take(self) -> Sequence[T]:
        """Give away all that is kept, the oldest first."""
        taken = tuple(self._kept)
        self._kept.clear()
        self._filled.clear()
        return taken

    def put_back(self, items: Sequence[T]) -> None:
        """Give back what is to be looked at again with what comes next; it wakes nobody."""
        room = (self._kept.maxlen or 0) - len(self._kept)
        self.lost += max(0, len(items) - room)
        self._kept.extendleft(list(items)[::-1][:room])

    async def filled(self) -> None:
        """Return as soon as there is something to take."""
        await self._filled.wait()


async def any_filled(*streams: Stream[Any]) -> None:
    """Return as soon as one of some streams has something to take."""
    waiting = {asyncio.ensure_future(each.filled()) for each in streams}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
