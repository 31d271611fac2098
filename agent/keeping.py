"""The state in a file on the host, so that a restart of the agent forgets nothing."""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from agent import lastboot, state
from agent.host.guard import Guard, HungError
from agent.state import VERSION, State
from agent.tally import Tally

logger = logging.getLogger(__name__)

PAUSE: Final = timedelta(seconds=5)
"""Between two writes of the file. What a crash loses of a numbered source is read again."""
PATIENCE: Final = timedelta(seconds=3)
"""How long the disk may take: an agent must go on without it."""


class Keeper:
    """Reads the file once and writes the newest state to it; a sick disk costs one warning.

    Args:
        path: The file.
        pause: Between two writes of it.
        patience: How long the disk may take.
        tally: Where writes are counted.
        write: What replaces the file.
        guard: Makes the calls.
        alive: How often the file is written though nothing in it is new: it tells by when the agent
            was alive.
    """

    def __init__(
        self,
        path: Path,
        *,
        pause: timedelta = PAUSE,
        patience: timedelta = PATIENCE,
        tally: Tally | None = None,
        write: Callable[[Path, bytes], None] | None = None,
        guard: Guard | None = None,
        alive: timedelta = lastboot.ALIVE,
    ) -> None:
        self.kept_at: datetime | None = None
        """When what was read was written."""
        self._path = path
        self._pause = pause.total_seconds()
        self._patience = patience
        self._alive = alive.total_seconds()
        self._tally = tally or Tally()
        self._write = write or replaced
        self._guard = guard or Guard()
        self._newest: State | None = None
        self._kept: State | None = None
        self._lasting: State | None = None
        self._is_sick = False
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()

    async def load(self) -> State | None:
        """Return what was kept, or None where nothing readable was."""
        try:
            content, at = await self._guard.call("read", self._read, patience=self._patience)
            kept = msgspec.json.decode(content, type=State)
        except FileNotFoundError:
            return None
        except (OSError, HungError, msgspec.DecodeError) as failure:
            logger.warning("%s cannot be read, beginning anew: %s", self._path, failure)
            return None
        if kept.version != VERSION:
            logger.warning("%s: expected version %d, got %d", self._path, VERSION, kept.version)
            return None
        self.kept_at = datetime.fromtimestamp(at, UTC)
        return kept

    def _read(self) -> tuple[bytes, float]:
        return self._path.read_bytes(), self._path.stat().st_mtime

    def offer(self, newest: State) -> None:
        """Take the newest state; it is written if a restart would miss what is new in it."""
        self._newest = newest
        if self._lasting is None or state.lasting(newest) != self._lasting:
            self._wake.set()

    def stop(self, last: State | None = None) -> None:
        """End `run` once the newest state, or a last one, is in the file or cannot be written."""
        self._newest = last or self._newest
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Save what is offered, with a pause after each write, until stopped."""
        while not self._stop.is_set():
            await self.save(again=not await self._woken())
            await self._rest()
        await self.save()

    async def _woken(self) -> bool:
        """Wait for something new; say whether it came before it was time to be alive."""
        try:
            async with asyncio.timeout(self._alive):
                return await self._wake.wait()
        except TimeoutError:
            return False

    async def save(self, *, again: bool = False) -> None:
        """Write the newest state, if it is not in the file yet or is to be written again."""
        self._wake.clear()
        newest = self._newest
        if newest is None or (newest == self._kept and not again):
            return
        try:
            content = msgspec.json.encode(newest)
            await self._guard.call(
                "write", lambda: self._write(self._path, content), patience=self._patience
            )
        except (OSError, HungError, RuntimeError, UnicodeEncodeError) as failure:
            self._report_sick(failure)
            return
        self._tally.saves += 1
        if self._is_sick:
            logger.info("%s can be written again", self._path)
        self._kept, self._lasting, self._is_sick = newest, state.lasting(newest), False

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await self._stop.wait()
        except TimeoutError:
            return

    def _report_sick(self, failure: Exception) -> None:
        self._tally.saves_failed += 1
        if not self._is_sick:
            logger.warning(
                "%s cannot be written: %s; a restart would forget what happened since",
                self._path,
                failure,
            )
        self._is_sick = True


def replaced(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a crash leaves the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    try:
        _fill(draft, content)
    except OSError:
        draft.unlink(missing_ok=True)  # on a full disk, what it holds is missed elsewhere
        raise
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _fill(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
