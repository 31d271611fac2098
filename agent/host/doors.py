"""How something is read that gives what it has and never waits: a device, a FIFO, a file."""

import abc
import asyncio
import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.guard import Guard
from agent.host.records import KMSG_SOURCE

_LOOK_AGAIN: Final = 0.5
"""Seconds between two looks at a plain file, which never says that it grew."""
_PATIENCE: Final = timedelta(seconds=5)


class Door(abc.ABC):
    """Something that is open for reading."""

    source = KMSG_SOURCE
    """Who numbers the records."""
    is_numbered = True
    """Whether there is a record for each number, so that a hole in them is a loss."""

    @abc.abstractmethod
    def read(self, size: int) -> bytes:
        """Return what is there, or nothing at the end of a file.

        Raises:
            BlockingIOError: nothing is there yet.
            OSError: whatever else the kernel says.
        """

    @abc.abstractmethod
    async def ready(self) -> None:
        """Return when it is worth reading again."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of it."""


class _Descriptor(Door):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    async def ready(self) -> None:
        loop = asyncio.get_running_loop()
        there = asyncio.Event()
        loop.add_reader(self._fd, there.set)
        try:
            await there.wait()
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class _File(_Descriptor):
    async def ready(self) -> None:
        await asyncio.sleep(_LOOK_AGAIN)


async def opened(path: Path, guard: Guard) -> Door:
    """Open a path.

    Args:
        path: What is opened.
        guard: Makes the call: always the same one, so that no more than one hangs.

    Raises:
        OSError: it cannot be opened.
        agent.host.guard.HungError: it lies where nobody answers.
    """
    fd, is_file = await guard.call(f"open of {path}", lambda: _open(path), patience=_PATIENCE)
    return _File(fd) if is_file else _Descriptor(fd)


def _open(path: Path) -> tuple[int, bool]:
    """Open a FIFO for writing too: without a writer it would always be at its end, and wake us."""
    is_fifo = stat.S_ISFIFO(path.stat().st_mode)
    access = os.O_RDWR if is_fifo else os.O_RDONLY
    fd = os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC)
    return fd, stat.S_ISREG(os.fstat(fd).st_mode)
