"""The worker as the agent sees it: a process with two pipes that may be lost at any moment."""

import asyncio
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import agent

Line: TypeAlias = Mapping[str, Any]
Process: TypeAlias = subprocess.Popen[bytes]

WORKER: Final = "agent.host.nvml.worker"
_CHUNK: Final = 1 << 16
_LONGEST: Final = 1 << 22
"""Bytes of a line beyond which nobody believes that it is one."""
_HOME: Final = Path(agent.__file__).parents[1]


class Worker:
    """A process that answers, or does not.

    Args:
        process: As it was started.
        hear: Told of each line that it says.
        silent: Told once when it says nothing more, for it has ended or is about to.
    """

    def __init__(
        self, process: Process, hear: Callable[[Line], None], silent: Callable[[], None]
    ) -> None:
        self.pid = process.pid
        self.sampler: int | None = None
        """The thread that calls NVML, once it has said which."""
        self._process = process
        self._hear, self._silent = hear, silent
        self._rest = self._unsaid = b""
        self._loop = asyncio.get_running_loop()
        self._out = process.stdout.fileno() if process.stdout else -1
        self._in = process.stdin.fileno() if process.stdin else -1
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self._loop.add_reader(self._out, self._read)

    @property
    def is_gone(self) -> bool:
        """Say whether it has ended; if so it is no zombie any more either."""
        return self._process.poll() is not None

    def ask(self, line: Line) -> None:
        """Say something to it, as fast as it listens; if it does not, its silence will tell."""
        self._unsaid += json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._say()

    def end(self) -> None:
        """Tell it to end after the call that it makes."""
        if not self.is_gone:
            self._process.terminate()

    def kill(self) -> None:
        """End it, whatever it does; never to be done while it sleeps where nothing can end it."""
        if not self.is_gone:
            self._process.kill()

    def abandon(self) -> None:
        """Have nothing to do with it any more: it ends when its call returns."""
        self._deaf()
        self._dumb()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def forget(self) -> None:
        """Leave it to the system's first process, which reaps what its parent did not."""
        self.abandon()
        if not self.is_gone:
            self._process.returncode = 0  # else Python warns of what is left behind on purpose

    def _say(self) -> None:
        """Write as much as the pipe takes: what is not supported by many GPUs is more than that."""
        if self._in < 0:
            return
        try:
            self._unsaid = self._unsaid[os.write(self._in, self._unsaid) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsaid = b""
        if self._unsaid:
            self._loop.add_writer(self._in, self._say)
        else:
            self._loop.remove_writer(self._in)

    def _dumb(self) -> None:
        if self._in >= 0:
            self._loop.remove_writer(self._in)
            self._in = -1

    def _deaf(self) -> None:
        if self._out >= 0:
            self._loop.remove_reader(self._out)
            self._out = -1

    def _read(self) -> None:
        try:
            got = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got or len(self._rest) > _LONGEST:
            self._deaf()
            self._silent()
            return
        *lines, self._rest = (self._rest + got).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))


class Starter:
    """Starts workers from a thread that lives as long as they do.

    Starting a process waits for the kernel to read its program, which must not hold up the loop.
    And a worker is told when the thread dies that started it: one of a pool dies too soon.

    Args:
        environ: The environment of workers, if it is not our own.
        oom: Has us killed before them when memory runs out; returns what they must set for that.
        spawn: How a thread is started.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        oom: Callable[[], str] = str,
        spawn: Callable[[threading.Thread], None] = threading.Thread.start,
    ) -> None:
        self._environ = {**(os.environ if environ is None else environ)}
        self._environ["PYTHONPATH"] = _path(self._environ.get("PYTHONPATH", ""))
        self._step_forward, self._spawn = oom, spawn
        self._wanted: queue.SimpleQueue[tuple[str, asyncio.Future[Process]] | None]
        self._wanted = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, library: str) -> asyncio.Future[Process]:
        """Start a worker that loads NVML from a library, or from where the loader finds it."""
        loop = asyncio.get_running_loop()
        started: asyncio.Future[Process] = loop.create_future()
        try:
            self._begin(loop)
        except RuntimeError as no_thread:
            started.set_exception(no_thread)
        else:
            self._wanted.put((library, started))
        return started

    def close(self) -> None:
        """Start nothing more."""
        self._wanted.put(None)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a thread; where the machine gives us none now, it may do so the next time."""
        if self._thread is None:
            thread = threading.Thread(
                target=self._run, args=(loop,), name="starts NVML workers", daemon=True
            )
            self._spawn(thread)
            self._thread = thread

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        oom: str | None = None
        while (wanted := self._wanted.get()) is not None:
            library, started = wanted
            try:
                if oom is None:
                    oom = self._step_forward()
                process = self._open(_command(library, oom))
            except BaseException as error:  # noqa: BLE001 - passed on to whoever awaits the start
                _tell(loop, started, None, error)
            else:
                _tell(loop, started, process, None)

    def _open(self, command: list[str]) -> Process:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environ,
            bufsize=0,
        )


def _command(library: str, oom: str) -> list[str]:
    return [sys.executable, "-S", "-m", WORKER, str(os.getpid()), library, oom]


def _path(others: str) -> str:
    """Have a worker find what we find, although it goes without `site`, which takes memory."""
    found = (f"{_HOME}", *others.split(os.pathsep), *sys.path)
    return os.pathsep.join(dict.fromkeys(filter(None, found)))


def _tell(
    loop: asyncio.AbstractEventLoop,
    started: asyncio.Future[Process],
    process: Process | None,
    error: BaseException | None,
) -> None:
    def tell() -> None:
        if process is not None:
            started.set_result(process)
        elif error is not None:
            started.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop is closed, and stdin with it
        loop.call_soon_threadsafe(tell)
