"""One run of a program: its own process group, a deadline, little memory, few words, no shell.

It blocks until the program ended, and a program on a dead disk does not even start: so it is called
in a thread that the agent can lose. What sleeps in the kernel after SIGKILL is left alone.
"""

import contextlib
import math
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from agent.host.checks.facts import MOST_SAID

MOST_WRITTEN: Final = 1024 * 1024
"""Bytes after which a program that does not stop talking is killed."""
GRACE: Final = timedelta(seconds=2)
"""How long a program may take to end after it was asked to, before it is killed."""

_SLEEPS: Final = timedelta(seconds=1)
"""How long a killed program may take to be gone before it counts as asleep in the kernel."""
_LOOK: Final = 0.1
"""Seconds between two looks whether it ended while its streams are still open."""
_LOOK_SOON: Final = 0.01
"""The same once it has closed them, which most do by ending."""

_AT_ONCE: Final = 16 * 1024
"""Bytes that are read at once."""

Program: TypeAlias = subprocess.Popen[bytes]
Kill: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one run may take."""

    timeout: timedelta
    memory: int
    """Bytes of data that each of its processes may have."""
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: timedelta = GRACE
    most_said: int = MOST_SAID
    """Bytes that are kept of each stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int | None = None
    """Its exit code, below zero for a signal; None if it did not end by itself."""
    said: bytes = b""
    complained: bytes = b""
    why: str = ""
    """Why there is no exit code."""
    left: Program | None = None
    """The program if it cannot be killed."""


def run(
    command: tuple[str, ...],
    bounds: Bounds,
    *,
    begun: Callable[[Program], None] = lambda _: None,
    kill: Kill = os.killpg,
) -> Ended:
    """Run a program to its end, or to ours of it.

    Args:
        command: Its path and arguments.
        bounds: What it may take.
        begun: Told of the program once it runs.
        kill: How a group of processes is sent a signal.
    """
    try:
        program = subprocess.Popen(  # noqa: S603 - what is run was written by root or the agent
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=dict(bounds.environment),
            start_new_session=True,
        )
    except OSError as error:
        return Ended(why=f"cannot be run: {error.strerror}")
    begun(program)
    _bound(program.pid, bounds)
    heard = _Heard(program, bounds.most_said)
    try:
        return _ended(program, heard, bounds, kill)
    finally:
        heard.close()


class _Heard:
    """What a program has written so far."""

    def __init__(self, program: Program, most: int) -> None:
        self._most = most
        self.said, self.complained = bytearray(), bytearray()
        self.written = 0
        self._program = program
        self._selector = selectors.DefaultSelector()
        for stream, kept in ((program.stdout, self.said), (program.stderr, self.complained)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, kept)

    def wait(self, span: timedelta, most: float = math.inf) -> bool:
        """Listen until the program ended, or wrote too much; say whether it ended."""
        until = time.monotonic() + span.total_seconds()
        while not has_ended(self._program):
            left = until - time.monotonic()
            if left <= 0 or self.written > most:
                return False
            self._listen(min(left, _LOOK if self._selector.get_map() else _LOOK_SOON))
        self._listen(0)
        return True

    def close(self) -> None:
        self._selector.close()
        for stream in (self._program.stdout, self._program.stderr):
            if stream is not None:
                stream.close()

    def _listen(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            told = os.read(key.fd, _AT_ONCE)
            if not told:
                self._selector.unregister(key.fileobj)
            self.written += len(told)
            key.data.extend(told[: self._most - len(key.data)])


def has_ended(program: Program) -> bool:
    """Say whether a program ended, and leave it to be waited for: its number is not given anew."""
    if program.returncode is not None:
        return True
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, program.pid, how) is not None


def _ended(program: Program, heard: _Heard, bounds: Bounds, kill: Kill) -> Ended:
    in_time = heard.wait(bounds.timeout, most=MOST_WRITTEN)
    endless = heard.written > MOST_WRITTEN
    if not in_time:
        _send(program, signal.SIGTERM, kill)
        heard.wait(bounds.grace)
    _send(program, signal.SIGKILL, kill)  # and whatever it left behind in its group
    if not heard.wait(_SLEEPS):
        return Ended(why="does not even die: it sleeps in the kernel", left=program)
    code = program.wait()
    why = ""
    if not in_time:
        why = "does not stop writing" if endless else f"no end within {_seconds(bounds.timeout)}"
    said, complained = bytes(heard.said), bytes(heard.complained)
    return Ended(code=None if why else code, said=said, complained=complained, why=why)


def _send(program: Program, number: int, kill: Kill) -> None:
    with contextlib.suppress(ProcessLookupError):
        kill(program.pid, number)


def _bound(pid: int, bounds: Bounds) -> None:
    """Bound a process that has just begun; what it starts inherits it.

    RLIMIT_DATA counts what can be written to, and not address space that is merely set aside, as
    the runtimes of Go and Java do by the gigabyte.
    """
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (bounds.memory, bounds.memory))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")  # it goes before the agent does


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
