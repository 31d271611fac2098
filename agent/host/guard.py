"""Calls that may never return, each in a thread that the agent can lose.

A call into a dead NFS server sleeps in the kernel and cannot be killed. So every call has a key;
while one of a key has not returned, no second one is made, so that lost threads never pile up: who
asks in the meantime waits for its turn as long as its patience lasts. The threads are daemons: they
hold up neither the loop nor the end of the process, which is why they are not those of an executor.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class HungError(Exception):
    """A call did not return in time, or an earlier one of its key still has not."""


class Guard:
    """Makes blocking calls, at most one a key."""

    def __init__(self) -> None:
        self._in_flight: set[str] = set()
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def call(self, key: str, work: Callable[[], T], *, patience: timedelta) -> T:
        """Return what the work returns, or raise what it raises.

        Raises:
            HungError: it did not return within the patience.
        """
        limit = asyncio.timeout(patience.total_seconds())
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with limit, turn:
                return await asyncio.wrap_future(self._start(key, work))
        except TimeoutError as late:
            if not limit.expired():
                raise  # the kernel's ETIMEDOUT is a TimeoutError too
            raise HungError(f"{key} does not return") from late

    def _start(self, key: str, work: Callable[[], T]) -> Future[T]:
        if key in self._in_flight:
            raise HungError(f"{key} does not return")
        self._in_flight.add(key)
        result = Future[T]()
        result.set_running_or_notify_cancel()
        threading.Thread(target=self._run, args=(key, work, result), name=key, daemon=True).start()
        return result

    def _run(self, key: str, work: Callable[[], T], result: Future[T]) -> None:
        try:
            outcome = work()
        except BaseException as error:  # noqa: BLE001 - passed on to whoever awaits the call
            self._in_flight.discard(key)
            result.set_exception(error)
        else:
            self._in_flight.discard(key)
            result.set_result(outcome)
