"""What comes when it comes: kept until a probe asks for it, and worth waking it for."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 10_000
_TRIES: Final = 3
"""How often the same things are given away: they may be why whoever takes them fails."""


class Losses:
    """What came and was counted by nobody: how much of it, and when that was found last."""

    def __init__(self) -> None:
        self.count = 0
        self.at: float | None = None
        """By the loop's clock, which nobody sets."""

    def note(self, count: int) -> None:
        """Take in that some were lost just now, if any were."""
        if count > 0:
            self.count += count
            self.at = asyncio.get_running_loop().time()

    def within(self, time: timedelta) -> bool:
        """Say whether any were lost within the last so much time."""
        now = asyncio.get_running_loop().time()
        return self.at is not None and now - self.at < time.total_seconds()


class Stream(Generic[T]):
    """A queue of one reader that never grows without bound: the oldest of too many is lost.

    Only the event loop's own thread may touch it.

    Args:
        most: How many are kept.
        losses: Where it is noted what was lost because nobody took it in time, or could.
    """

    def __init__(self, most: int = MOST, *, losses: Losses | None = None) -> None:
        self.losses = losses or Losses()
        self._kept = deque[T](maxlen=most)
        self._lent: Sequence[T] = ()
        self._failures = 0
        self._filled, self._crowded = asyncio.Event(), asyncio.Event()

    def put(self, item: T) -> None:
        """Keep something for whoever asks next."""
        self.losses.note(len(self._kept) == self._kept.maxlen)
        self._kept.append(item)
        self._filled.set()
        if 2 * len(self._kept) >= (self._kept.maxlen or 0):
            self._crowded.set()

    def take(self) -> Sequence[T]:
        """Give away all that is kept, the oldest first."""
        self._lent = taken = tuple(self._kept)
        self._kept.clear()
        self._filled.clear()
        self._crowded.clear()
        return taken

    def put_back(self, items: Sequence[T]) -> None:
        """Give back what is to be looked at again with what comes next; it wakes nobody."""
        room = (self._kept.maxlen or 0) - len(self._kept)
        self.losses.note(len(items) - room)
        self._kept.extendleft(list(items)[::-1][:room])

    def settle(self) -> None:
        """Forget what was taken last: it is counted."""
        self._lent, self._failures = (), 0

    def restore(self) -> None:
        """Take back what was taken last: whoever took it failed. It wakes nobody.

        What several failed on in a row is lost, so that it is not in the way of all that follows.
        """
        if not self._lent:
            return
        lent, kept = {id(each) for each in self._lent}, tuple(self._kept)
        fresh = [each for each in kept if id(each) not in lent]
        self._failures += 1
        if self._failures < _TRIES:
            self._kept.clear()
            self._kept.extend(fresh)
            self.put_back(self._lent)
        else:
            self.losses.note(len(lent) - (len(kept) - len(fresh)))
            self._failures = 0
        self._lent = ()

    @property
    def when_filled(self) -> asyncio.Event:
        """Return what is set while there is something that came since the last one took it."""
        return self._filled

    @property
    def when_crowded(self) -> asyncio.Event:
        """Return what is set while half of the room is taken."""
        return self._crowded

    async def filled(self) -> None:
        """Return as soon as there is something to take."""
        await self._filled.wait()


async def any_filled(*streams: Stream[Any]) -> None:
    """Return as soon as one of some streams has something to take; of none, never."""
    await _any([each.when_filled for each in streams])


async def any_crowded(*streams: Stream[Any]) -> None:
    """Return as soon as one of some streams has only half of its room left; of none, never."""
    await _any([each.when_crowded for each in streams])


async def _any(events: Sequence[asyncio.Event]) -> None:
    """Wait for one of them: no turn of the loop if one is set, for more may come in each."""
    if any(each.is_set() for each in events):
        return
    if not events:
        await asyncio.Event().wait()
    waiting = {asyncio.ensure_future(each.wait()) for each in events}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
