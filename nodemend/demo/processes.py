"""The demo's programs: the ones a cluster would run, as processes of their own."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

Kubeconfig: TypeAlias = Callable[[str, Path], Awaitable[None]]
"""Writes the kubeconfig of a node's agent to a path."""

_PATIENCE: Final = 1.5
"""How many seconds a program may take to end when it is asked to: a person waits, and what it
leaves undone is gone with the cluster."""
_TAIL: Final = 20
_LOOK_AGAIN: Final = 0.25
_LEASH: Final = ("setpriv", "--pdeathsig", "KILL")
"""Has the kernel end a program when the one that started it is gone, however it went."""


class Program:
    """One program of the demo, its log in a file.

    Args:
        name: What the demo calls it.
        command: What to run.
        log: Where its output goes.
        environ: What it finds in its environment beside ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command, self._log, self._environ = command, log, environ or {}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Return the process's id; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Start it."""
        log = await asyncio.to_thread(self._log.open, "ab")
        nothing = await asyncio.to_thread(Path(os.devnull).open, "rb")
        with log, nothing:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=nothing,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environ},
                start_new_session=True,
            )

    async def ended(self) -> str:
        """Wait for the end of a program that should not end, and say what it said last."""
        if self._process is None:
            return f"{self.name} was never started"
        code = await self._process.wait()
        return f"{self.name} ended with {code}:\n{await self.last_words()}"

    async def last_words(self) -> str:
        """Return the end of its log."""
        text = await asyncio.to_thread(self._log.read_text, encoding="utf-8", errors="replace")
        lines = text.splitlines()
        return "\n".join(lines[-_TAIL:])

    async def follow(self, beginning: str, told: Callable[[str], None]) -> NoReturn:
        """Tell of each line of its log that begins like this, as it comes, until cancelled."""
        read = 0
        while True:
            text = await asyncio.to_thread(self._tail, read)
            whole = text[: text.rfind("\n") + 1]
            read += len(whole.encode())
            for line in whole.splitlines():
                if line.startswith(beginning):
                    told(line)
            await asyncio.sleep(_LOOK_AGAIN)

    def _tail(self, read: int) -> str:
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(read)
            return log.read().decode(errors="replace")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: by a request first, then by force."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def nodemend(*arguments: str | Path, leash: Sequence[str] = ()) -> list[str]:
    """Return the command that runs this very nodemend."""
    return [*leash, sys.executable, "-m", "nodemend", *map(str, arguments)]


def leash() -> Sequence[str]:
    """Find what ties a program's life to ours; nothing where that can't be done. It blocks."""
    if shutil.which(_LEASH[0]) is None:
        return ()
    trial = subprocess.run([*_LEASH, "true"], capture_output=True, check=False)  # noqa: S603 - ours
    return _LEASH if trial.returncode == 0 else ()
