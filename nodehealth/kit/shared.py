"""One read for all who asked before it began: nobody is shown what is older than the question."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Reads one thing for many callers, one read at a time.

    A caller that is cancelled takes nobody with it: another one of the same round reads.

    Args:
        read: Reads the thing.
        failures: What may come of a read instead; everybody in its round is told.
    """

    def __init__(
        self, read: Callable[[], Awaitable[T]], *, failures: type[Exception] = OSError
    ) -> None:
        self._read, self._failures = read, failures
        self._turn = asyncio.Lock()
        self._next: asyncio.Future[T] | None = None
        """What those will be told for whom no read has begun yet."""

    async def get(self) -> T:
        """Return what a read said that began after this call.

        Raises:
            Exception: the read failed, in one of the ways that were named.
        """
        mine = self._next = self._next or asyncio.get_running_loop().create_future()
        async with self._turn:
            if not mine.done():
                if mine is self._next:
                    self._next = None
                await self._fill(mine)
        return mine.result()

    async def _fill(self, answer: asyncio.Future[T]) -> None:
        try:
            answer.set_result(await self._read())
        except self._failures as failed:
            answer.set_exception(failed)
