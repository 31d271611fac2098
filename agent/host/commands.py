"""Programs of the host, each in a session of its own; one that hangs is left, never killed.

Who kills a program in the middle of a call to a sick driver may freeze the GPU, and what sleeps in
the kernel cannot be killed at all. So the end is awaited within a patience, and what has not ended
by then goes on, with its process id told. The start is awaited likewise: the disk that the program
lies on may not answer.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.guard import Guard, HungError
from nodehealth import quantities

NOT_STARTED: Final = 127
"""The exit code of a program that is not there, as shells have it."""

_PROCFS: Final = Path("/proc")
_GLANCE: Final = 0.05
"""Seconds between two looks whether a program has ended."""
_OUTPUT: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that has ended."""

    code: int
    """Its exit code; below zero the signal that ended it."""
    output: str = ""
    """What it wrote, both ways together, without the blanks around it."""

    @property
    def is_well(self) -> bool:
        """Say whether it ended as it should."""
        return self.code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A program that goes on without us."""

    pid: int
    state: str
    """As /proc has it: D where it sleeps in the kernel and nothing can end it."""
    wchan: str = ""
    """Where in the kernel it sleeps; empty where that is not told."""


class _Program(subprocess.Popen[bytes]):
    """One that may be left on purpose, of which Python would warn."""

    def __del__(self) -> None:
        """Let it go on."""


class Running:
    """A program that was started.

    Args:
        program: As it was started.
        output: The file descriptor of what it writes; ours to close.
    """

    def __init__(self, program: _Program, output: int) -> None:
        self.pid = program.pid
        self._program = program
        self._output: int | None = output

    async def end(self, patience: timedelta) -> Ended | Left:
        """Wait for its end, or as long as the patience lasts; may be called again of one left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience.total_seconds()
        while True:
            ended = self._ended()
            if ended is not None:
                return ended
            if loop.time() >= until:
                return await asyncio.to_thread(_left, self.pid)
            await asyncio.sleep(_GLANCE)

    def _ended(self) -> Ended | None:
        code = self._program.poll()
        return None if code is None else Ended(code=code, output=self._said())

    def _said(self) -> str:
        output, self._output = self._output, None
        if output is None:
            return ""
        try:
            return os.pread(output, _OUTPUT, 0).decode(errors="replace").strip()
        finally:
            os.close(output)


async def start(words: Sequence[str], environ: Mapping[str, str], patience: timedelta) -> Running:
    """Start a program by its name or its path.

    Raises:
        agent.host.guard.HungError: it has not started within the patience; it may yet.
        OSError: it cannot be started.
        RuntimeError: the machine gives us no thread to start it in.
    """
    what = f"start of {words[0]}"
    return await Guard().call(what, lambda: _start(words, environ), patience=patience)


async def run(
    words: Sequence[str],
    *,
    environ: Mapping[str, str],
    patience: timedelta,
    grace: timedelta = timedelta(),
) -> Ended | Left:
    """Start a program and wait for its end; one that cannot be started has ended badly.

    Args:
        words: Its name or path, and its arguments.
        environ: Its environment.
        patience: How long it may take.
        grace: How long it is waited for, too, when we are cancelled meanwhile: it is not stopped.
    """
    now = asyncio.get_running_loop().time
    began = now()
    starting = asyncio.create_task(start(words, environ, patience))
    try:
        running = await asyncio.shield(starting)
        return await running.end(patience - timedelta(seconds=now() - began))
    except HungError:
        why = f"has not started within {quantities.spoken(patience)}, and may yet"
    except OSError as error:
        why = error.strerror or str(error)
    except RuntimeError as no_thread:
        why = str(no_thread)
    except asyncio.CancelledError:
        await _seen_off(starting, grace)
        raise
    return Ended(code=NOT_STARTED, output=f"{words[0]}: {why}")


async def _seen_off(starting: asyncio.Task[Running], grace: timedelta) -> None:
    """Wait for a program that starts or runs, as long as the grace lasts."""
    with contextlib.suppress(OSError, HungError, RuntimeError):
        async with asyncio.timeout(grace.total_seconds()):
            await (await starting).end(grace)


def _start(words: Sequence[str], environ: Mapping[str, str]) -> Running:
    """Start a program.

    Other threads go on until its disk has answered: posix_spawn would hold them up, and so would
    Popen before Python 3.11.4.
    """
    output = os.memfd_create(words[0].rpartition("/")[2])
    try:
        program = _Program(
            words,
            env={**environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us
        )
    except BaseException:
        os.close(output)
        raise
    return Running(program, output)


def _left(pid: int) -> Left:
    return Left(pid=pid, state=state(_PROCFS / str(pid)), wchan=_wchan(pid))


def state(process: Path) -> str:
    """Read the state of a process from its folder in procfs: one letter, or nothing."""
    try:
        after_name = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return after_name[0] if after_name else ""


def _wchan(pid: int) -> str:
    try:
        return (_PROCFS / str(pid) / "wchan").read_text().strip("0\n")
    except OSError:
        return ""
