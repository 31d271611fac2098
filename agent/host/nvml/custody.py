"""The workers that there are: the one at work, those that are to end, and those that are lost.

A call into a sick driver may sleep in the kernel for minutes, where nothing can end it. So every
batch has a deadline. A worker that is over it and sleeps so is abandoned: its pipes are closed, and
it ends when its call does. One that does not sleep so is told to end, and killed if it will not.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

from agent.host.guard import Guard, HungError
from agent.host.nvml import tasks
from agent.host.nvml.counts import Counts
from agent.host.nvml.facts import Hang
from agent.host.nvml.happenings import Answered, Asked, Died, Happening, Missed, Overrun, Told
from agent.host.nvml.process import Line, Process, Starter, Worker
from agent.host.nvml.roll import Turn
from agent.host.nvml.tasks import Task

Now: TypeAlias = Callable[[], float]

SOFT: Final = 10.0
"""Seconds after which a batch is slow."""
HARD: Final = 30.0
"""Seconds after which it is looked at why a batch does not come back."""
SURE: Final = 1.0
"""Seconds between two looks that must both find its thread where nothing can end it."""
TERM: Final = 10.0
"""Seconds that a worker has to end by itself."""
_PATIENCE: Final = timedelta(seconds=2)
_FAREWELL: Final = 3.0
_BRIEF: Final = 0.05
_CLOSING: Final = "close"
"""What a worker does that ends between two calls: the kernel closes what it had open."""


@dataclass(slots=True, kw_only=True)
class _Working:
    worker: Worker
    asked: Asked | None = None
    is_silent: bool = False


@dataclass(slots=True, kw_only=True)
class _Ending:
    worker: Worker
    since: float
    pci: str
    call: str
    is_killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A worker that sleeps where nothing can end it."""

    worker: Worker
    pci: str
    """The GPU that it asked; nothing where it was the driver."""
    hang: Hang


class Custody:
    """Holds the workers.

    Args:
        starter: Starts workers; it is closed with us.
        now: The event loop's time.
        happened: Told of all that happens.
        wake: Called when a turn should be taken soon.
        counts: What is counted for people.
    """

    def __init__(
        self,
        *,
        starter: Starter,
        now: Now,
        happened: Callable[[Happening], None],
        wake: Callable[[], None],
        counts: Counts,
    ) -> None:
        self.lost: tuple[Lost, ...] = ()
        self._starter, self._now, self._happened, self._wake = starter, now, happened, wake
        self._counts, self._guard, self._number = counts, Guard(), 0
        self._starting: asyncio.Future[Process] | None = None
        self._is_unwanted = False
        """Whether the worker that is being started is to end at once."""
        self._working: _Working | None = None
        self._ending: list[_Ending] = []

    @property
    def is_vacant(self) -> bool:
        """Say whether there is no worker, but for those that are lost."""
        return self._working is None and self._starting is None and not self._ending

    @property
    def is_idle(self) -> bool:
        """Say whether there is a worker that waits for something to do."""
        return self._working is not None and self._working.asked is None

    @property
    def is_busy(self) -> bool:
        """Say whether a worker starts, works or ends."""
        return self._starting is not None or self.asked is not None or bool(self._ending)

    @property
    def asked(self) -> Asked | None:
        """Return the batch under way."""
        return self._working.asked if self._working else None

    @property
    def task(self) -> tuple[int, int] | None:
        """Return the process and the thread that carries out the batch under way."""
        worker = self._working.worker if self._working else None
        return (worker.pid, worker.sampler or worker.pid) if worker else None

    def begin(self, library: str) -> None:
        """Start a worker."""
        self._counts.starts += 1
        self._starting = self._starter.start(library)
        self._starting.add_done_callback(lambda _: self._wake())

    def ask(self, what: str, *, turn: Turn | None = None, **more: object) -> None:
        """Have the worker carry out a batch."""
        if self._working is None:
            return
        self._number += 1
        now = self._now()
        self._working.asked = Asked(
            number=self._number, what=what, at=now, turn=turn, call=what, since=now
        )
        self._working.worker.ask({"id": self._number, "do": what, **more})

    def end(self) -> None:
        """Tell the worker to end, if there is one."""
        self._is_unwanted = self._starting is not None
        if self._working is not None:
            asked = self._working.asked
            self._see_off(self._working, asked.pci if asked else "", _CLOSING)

    async def turn(self) -> None:
        """Look after all of them."""
        self._admit()
        self._reap()
        await self._judge()
        for each in tuple(self._ending):
            await self._hasten(each)

    def next_at(self) -> float:
        """Return when the next turn must be taken at the latest."""
        now = self._now()
        if self._ending:
            return now + (_BRIEF if self._now() - self._ending[0].since < 1 else SURE)
        if self._working is None:
            return float("inf")
        if self._working.is_silent:
            return now + _BRIEF
        asked = self._working.asked
        if asked is None:
            return float("inf")
        if asked.deep_since is not None:
            return asked.deep_since + SURE
        return asked.at + (HARD if asked.is_slow else SOFT)

    async def close(self) -> None:
        """Let the worker end, and leave alone what cannot."""
        self.end()
        if self._starting is not None:
            await asyncio.wait({self._starting}, timeout=_FAREWELL)
            self._admit()
        await self._gone(_FAREWELL)
        for each in self._ending:
            if not (await self._task(each.worker)).is_deep:
                each.worker.kill()
        await self._gone(1.0)
        for worker in (
            *(each.worker for each in self._ending),
            *(each.worker for each in self.lost),
        ):
            worker.forget()
        self._ending, self.lost = [], ()
        self._starter.close()

    def _admit(self) -> None:
        """Take in the worker that was started."""
        if self._starting is None or not self._starting.done():
            return
        started, self._starting = self._starting, None
        if started.exception() is not None:
            self._happened(Died())
            return
        self._working = _Working(worker=Worker(started.result(), self._hear, self._hush))
        if self._is_unwanted:
            self.end()

    def _hear(self, line: Line) -> None:
        working = self._working
        if working is None:
            return
        asked = working.asked
        if "hello" in line:
            working.worker.sampler = line["sampler"]
        elif "begin" in line:
            return
        elif asked is not None and line.get("within") == asked.number:
            asked.call, asked.since = line["call"], self._now() - line["seconds"]
        elif asked is not None and line.get("end") == asked.number:
            working.asked = None
            self._happened(Answered(asked=asked, line=line))
        elif "event" in line or "events" in line:
            self._happened(Told(line=line))

    def _hush(self) -> None:
        if self._working is not None:
            self._working.is_silent = True
        self._wake()

    def _reap(self) -> None:
        for each in self._ending:
            if each.worker.is_gone:
                each.worker.abandon()
        self._ending = [each for each in self._ending if not each.worker.is_gone]
        self.lost = tuple(each for each in self.lost if not each.worker.is_gone)
        working = self._working
        if working is not None and working.is_silent and working.worker.is_gone:
            working.worker.abandon()
            self._working = None
            self._counts.died += 1
            self._happened(Died())

    async def _judge(self) -> None:
        """See whether the batch under way takes too long, and why."""
        working, now = self._working, self._now()
        if working is None or working.asked is None:
            return
        asked = working.asked
        if now - asked.at >= SOFT and not asked.is_slow:
            asked.is_slow = True
            self._counts.slow += 1
            self._happened(Overrun(asked=asked))
        if now - asked.at < HARD:
            return
        task = await self._task(working.worker)
        if working.asked is not asked:
            return  # it came back while we looked
        if not task.is_in_call or (asked.deep or task).syscall != task.syscall:
            self._see_off(working, asked.pci, asked.call)
            self._happened(Missed(pci=asked.pci, hang=asked.hang(_unproven(task))))
        elif asked.deep_since is None:
            asked.deep, asked.deep_since = task, now
        elif now - asked.deep_since >= SURE:
            self._working = None
            self._lose(working.worker, asked.pci, asked.hang(task))

    def _lose(self, worker: Worker, pci: str, hang: Hang) -> None:
        self._counts.abandoned += 1
        worker.abandon()
        self.lost = (*self.lost, Lost(worker=worker, pci=pci, hang=hang))
        self._happened(Missed(pci=pci, hang=hang))

    def _see_off(self, working: _Working, pci: str, call: str) -> None:
        working.worker.end()
        self._ending.append(_Ending(worker=working.worker, since=self._now(), pci=pci, call=call))
        self._working = None

    async def _hasten(self, ending: _Ending) -> None:
        """Kill what does not end by itself, unless it sleeps where nothing can end it."""
        if ending.worker.is_gone or self._now() - ending.since < TERM:
            return
        task = await self._task(ending.worker)
        if not task.is_deep:
            self._counts.killed += not ending.is_killed
            ending.is_killed = True
            ending.worker.kill()
        elif self._now() - ending.since >= HARD:
            self._ending.remove(ending)
            hang = Hang(call=ending.call, since=ending.since, state=task.state, wchan=task.wchan)
            self._lose(ending.worker, ending.pci, hang)

    async def _task(self, worker: Worker) -> Task:
        """Read what a worker's sampler does; it is unknown when the kernel does not say so soon.

        Before it has said which thread that is, it has made no call either: a disk is slow.
        """
        if worker.sampler is None:
            return Task()
        thread = worker.sampler
        with contextlib.suppress(HungError):
            return await self._guard.call(
                f"read of task {thread}",
                lambda: tasks.read(worker.pid, thread),
                patience=_PATIENCE,
            )
        return Task()

    async def _gone(self, patience: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._ending:
                    self._reap()
                    await asyncio.sleep(_BRIEF)


def _unproven(task: Task) -> Task:
    """Leave out the proof of what is none: another sleep each time that it was looked at."""
    return replace(task, state="") if task.is_deep else task
