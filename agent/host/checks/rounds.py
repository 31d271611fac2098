"""When which check runs: each at its own interval, a few at a time, never one twice at once.

A check that outlasts a look goes on in its thread, and the next look finds what it said. What it
said before stands until then, but not for ever: an old answer is none.
"""

import asyncio
import contextlib
import os
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from agent.host.checks import meaning, process
from agent.host.checks.facts import Check, Result, unknown
from agent.host.checks.process import GRACE, Bounds, Ended, Program

Run: TypeAlias = Callable[[tuple[str, ...], Bounds, Callable[[Program], None]], Ended]
_Now: TypeAlias = Callable[[], float]

_SLACK: Final = timedelta(seconds=30)
"""How long a program may take to start, and how much later than usual an answer may come."""
_ASLEEP: Final = "an earlier run does not even die: it sleeps in the kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How checks are run."""

    parallel: int
    memory: int
    """Bytes for each process of a check."""
    environment: Mapping[str, str]
    patience: timedelta
    """How long one look waits for those that run."""


@dataclass(slots=True, kw_only=True)
class _Turn:
    """How a check fared; its thread writes here, and nobody else while it runs."""

    check: Check
    running: bool = False
    began: float | None = None
    ended: float = 0.0
    result: Result | None = None


def run_bounded(
    command: tuple[str, ...], bounds: Bounds, begun: Callable[[Program], None]
) -> Ended:
    """Run a program as the kernel does."""
    return process.run(command, bounds, begun=begun)


class Rounds:
    """Runs checks when they are due, in daemon threads, and remembers what they said.

    Args:
        run: How a program is run.
        spawn: How a thread is started.
    """

    def __init__(
        self,
        run: Run = run_bounded,
        spawn: Callable[[threading.Thread], None] = threading.Thread.start,
    ) -> None:
        self._run, self._spawn = run, spawn
        self._turns: dict[str, _Turn] = {}
        self._left: dict[str, Program] = {}
        self._programs: dict[str, Program] = {}
        weakref.finalize(self, _end, self._programs)

    async def look(self, checks: Sequence[Check], manners: Manners) -> Mapping[str, Result]:
        """Run what is due, wait a while, and return what is known of each by its name."""
        now = asyncio.get_running_loop().time
        self._learn(checks)
        until = now() + manners.patience.total_seconds()
        due = deque(sorted(self._due(now()), key=lambda turn: turn.began or float("-inf")))
        lanes = manners.parallel - sum(each.running for each in self._turns.values())
        await asyncio.gather(*(self._lane(due, manners, until) for _ in range(lanes)))
        return {each.name: _said(self._turns[each.name], now()) for each in checks}

    def _learn(self, checks: Sequence[Check]) -> None:
        """Forget checks that are gone, and what one said that was another then."""
        for each in checks:
            known = self._turns.get(each.name)
            if known is None or (known.check != each and not known.running):
                self._turns[each.name] = _Turn(check=each)
        names = {each.name for each in checks}
        for name, turn in tuple(self._turns.items()):
            if name not in names and not turn.running:
                del self._turns[name]

    def _due(self, now: float) -> Sequence[_Turn]:
        free = (each for each in self._turns.values() if not each.running)
        return [each for each in free if not each.check.refused and _is_due(each, now)]

    async def _lane(self, due: deque[_Turn], manners: Manners, until: float) -> None:
        """Run one check after the other; one that outlasts the look keeps the lane."""
        now = asyncio.get_running_loop().time
        while due and now() < until:
            landed = asyncio.wrap_future(self._start(due.popleft(), manners, now))
            await asyncio.wait({landed}, timeout=until - now())
            if not landed.done():
                return
            landed.result()

    def _start(self, turn: _Turn, manners: Manners, now: _Now) -> Future[None]:
        landed = Future[None]()
        landed.set_running_or_notify_cancel()  # the kernel does not let go of a thread either
        name = f"check {turn.check.name}"
        work = (turn, manners, now, landed)
        thread = threading.Thread(target=self._work, args=work, name=name, daemon=True)
        before, turn.began, turn.running = turn.began, now(), True
        try:
            self._spawn(thread)
        except BaseException:
            turn.began, turn.running = before, False
            raise
        return landed

    def _work(self, turn: _Turn, manners: Manners, now: _Now, landed: Future[None]) -> None:
        try:
            turn.result = self._result(turn.check, manners)
        except BaseException as error:  # noqa: BLE001 - passed on to whoever awaits the look
            turn.running = False
            landed.set_exception(error)
        else:
            turn.ended, turn.running = now(), False
            landed.set_result(None)

    def _result(self, check: Check, manners: Manners) -> Result:
        if self._sleeps(check.name):
            return unknown(_ASLEEP)
        bounds = Bounds(
            timeout=check.timeout,
            memory=manners.memory,
            environment=manners.environment,
            most_said=check.most_said,
        )
        try:
            ended = self._run(
                check.command, bounds, lambda program: self._begun(check.name, program)
            )
        finally:
            self._programs.pop(check.name, None)
        if ended.left is not None:
            self._left[check.name] = ended.left
        if ended.code is None:
            return unknown(ended.why, meaning.line(ended.said, check.manner))
        return meaning.result(check.manner, ended.code, ended.said, ended.complained)

    def _begun(self, name: str, program: Program) -> None:
        self._programs[name] = program

    def _sleeps(self, name: str) -> bool:
        """Say whether an earlier run is still there; one that ended meanwhile is laid to rest."""
        left = self._left.get(name)
        if left is None:
            return False
        if not process.has_ended(left):
            return True
        self._left.pop(name).wait()
        return False


def _is_due(turn: _Turn, now: float) -> bool:
    return turn.began is None or now - turn.began >= turn.check.every.total_seconds()


def _said(turn: _Turn, now: float) -> Result:
    check, began = turn.check, turn.began
    if check.refused:
        return unknown(check.refused)
    limit = check.timeout + GRACE + _SLACK
    if turn.running and began is not None and now - began > limit.total_seconds():
        return unknown("does not even start: the disk that it lies on does not answer")
    if turn.result is None:
        return unknown("has not ended yet" if turn.running else "waits for its turn")
    longest = 2 * check.every + limit
    if now - turn.ended > longest.total_seconds():
        return unknown("waits for its turn")
    return turn.result


def _end(programs: Mapping[str, Program]) -> None:
    """Let no program outlive the agent."""
    for each in tuple(programs.values()):
        with contextlib.suppress(OSError):
            if not process.has_ended(each):
                os.killpg(each.pid, signal.SIGKILL)
