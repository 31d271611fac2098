"""Calls that may never return, each in a thread that the agent can lose.

A call into a dead NFS server sleeps in the kernel and cannot be killed. So every call has a key;
while one of a key has not returned, no second one is made, so that lost threads never pile up: who
asks in the meantime waits for it to return as long as its patience lasts. The threads are daemons,
and hold up neither the loop nor the end of the process; those of an executor would.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class HungError(Exception):
    """A call did not return in time, or an earlier one of its key still has not."""

    def __init__(self, message: str, *, lasted: timedelta = timedelta()) -> None:
        super().__init__(message)
        self.lasted = lasted
        """How long the call that hangs has been under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    """A call under way in a thread."""

    began: float
    """By the loop's clock."""
    landed: Future[None]


class Guard:
    """Makes blocking calls, at most one a key.

    Args:
        spawn: How a thread is started.
    """

    def __init__(self, spawn: Callable[[threading.Thread], None] = threading.Thread.start) -> None:
        self._spawn = spawn
        self._flights: dict[str, _Flight] = {}
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def call(self, key: str, work: Callable[[], T], *, patience: timedelta) -> T:
        """Return what the work returns, or raise what it raises.

        Raises:
            HungError: it did not return within the patience.
            RuntimeError: the machine gives us no thread; nothing was called.
        """
        limit = asyncio.timeout(patience.total_seconds())
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with limit, turn:
                await self._landed(key)
                return await asyncio.wrap_future(self._start(key, work))
        except TimeoutError as late:
            if not limit.expired():
                raise  # the kernel's ETIMEDOUT is a TimeoutError too
            raise self._hung(key) from late

    async def _landed(self, key: str) -> None:
        """Wait for a call that nobody waits for any more."""
        flight = self._flights.get(key)
        if flight is not None:
            await asyncio.wrap_future(flight.landed)

    def _hung(self, key: str) -> HungError:
        now, flight = asyncio.get_running_loop().time(), self._flights.get(key)
        lasted = timedelta(seconds=now - flight.began) if flight else timedelta()
        return HungError(f"{key} does not return", lasted=lasted)

    def _start(self, key: str, work: Callable[[], T]) -> Future[T]:
        began = asyncio.get_running_loop().time()
        self._flights[key] = _Flight(began=began, landed=_unstoppable(Future[None]()))
        result = _unstoppable(Future[T]())
        args = (key, work, result)
        thread = threading.Thread(target=self._run, args=args, name=key, daemon=True)
        try:
            self._spawn(thread)
        except BaseException:
            self._land(key)
            raise
        return result

    def _run(self, key: str, work: Callable[[], T], result: Future[T]) -> None:
        try:
            outcome = work()
        except BaseException as error:  # noqa: BLE001 - passed on to whoever awaits the call
            self._land(key)
            result.set_exception(error)
        else:
            self._land(key)
            result.set_result(outcome)

    def _land(self, key: str) -> None:
        self._flights.pop(key).landed.set_result(None)


def _unstoppable(future: Future[T]) -> Future[T]:
    """Return a future that nobody can cancel: the kernel does not let go of the thread either."""
    future.set_running_or_notify_cancel()
    return future
