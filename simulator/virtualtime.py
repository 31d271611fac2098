"""Hours in a moment: an event loop whose clock jumps to the next timer when nothing is ready."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar, TypeVarTuple, Unpack

from nodehealth.kit.clocks import Clock

START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Ts = TypeVarTuple("_Ts")


class DeadlockError(RuntimeError):
    """Everything waits for something that can never come."""


class RealInputError(RuntimeError):
    """A socket or pipe was opened under a clock that cannot wait for it."""


class _Selector(selectors.BaseSelector):
    """Waits for the loop's own wake-up call only, and turns every other wait into a jump."""

    def __init__(self, jump: Callable[[float | None], bool], step: Callable[[], None]) -> None:
        self._inner = selectors.DefaultSelector()
        self._jump, self._step = jump, step

    def register(
        self,
        fileobj: Any,  # noqa: ANN401 - as the base class has it
        events: int,
        data: object = None,
    ) -> selectors.SelectorKey:
        """Take the loop's own wake-up pipe, and refuse everything after it."""
        if self._inner.get_map():
            raise RealInputError(
                "virtual time cannot wait for sockets or pipes; use a transport in this process, "
                "or run in real time"
            )
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 - see above
        """Let go of the wake-up pipe."""
        return self._inner.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, move the clock instead of waiting."""
        self._step()
        if (timeout is not None and timeout <= 0) or self._jump(timeout):
            return []
        return self._inner.select(None)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is registered."""
        return self._inner.get_map()

    def close(self) -> None:
        """Close the selector underneath."""
        self._inner.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which waiting takes no time, and the same program runs the same way.

    Work in threads is waited for: the clock stands still until `asyncio.to_thread` is done.

    Args:
        start: The time that it is when the loop is made.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = self._now = start
        self._seconds = 0.0
        self._threads = 0
        self._steps = 0
        self._due: dict[int, list[Callable[[], None]]] = {}
        super().__init__(_Selector(self._jump, self._step))
        self._clock_resolution = 1e-6  # timers nearer than what a datetime can tell are one

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._seconds

    def now(self) -> datetime:
        """Return the time of day."""
        return self._now

    def after_steps(self, count: int, call: Callable[[], None]) -> None:
        """Call back after so many steps of the loop: between any two steps something may happen."""
        self._due.setdefault(self._steps + count, []).append(call)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[_Ts]], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Run in a thread, and hold the clock meanwhile."""
        future: asyncio.Future[_T] = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's own since 3.12
    ) -> None:
        """Join the threads, and hold the clock meanwhile."""
        del timeout  # joins are bounded by the work that was waited for already
        self._threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._threads -= 1

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _step(self) -> None:
        """Count one step; the loop asks its selector once in each."""
        self._steps += 1
        for call in self._due.pop(self._steps, ()):
            self.call_soon(call)

    def _jump(self, timeout: float | None) -> bool:
        """Move the clock; false means that a thread works and must be waited for."""
        if self._threads:
            return False
        if timeout is None:
            waiting = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self)))
            raise DeadlockError(f"nothing is ready and no timer runs; waiting for ever: {waiting}")
        self._seconds += timeout
        self._now = self._start + timedelta(seconds=self._seconds)
        return True


def run(coro: Coroutine[Any, Any, _T], *, start: datetime = START) -> _T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        return runner.run(coro)


def clock() -> Clock:
    """Return the clock of the running virtual loop; it may be read from any thread.

    Raises:
        RuntimeError: the running loop keeps real time.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError(f"{type(loop).__name__} keeps real time; its clock is clocks.wall")  # noqa: TRY004 - the state is wrong, not an argument
    return loop.now


def played(function: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, _T]:
    """Turn a coroutine function into one that plays it in virtual time, as tests do."""

    @functools.wraps(function)
    def play(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return run(function(*args, **kwargs))

    return play
