"""Reads what the kernel shows in procfs and sysfs, in threads that can be lost."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from agent.host.guard import Guard

T = TypeVar("T")

_PATIENCE: Final = timedelta(seconds=5)
"""How long the kernel may take to answer from procfs or sysfs."""


class Reader:
    """Asks the kernel what it always knows.

    Args:
        guard: Makes the calls.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def read(self, path: Path) -> bytes:
        """Read a file.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
            OSError: there is no such file.
        """
        return await self.ask(str(path), path.read_bytes)

    async def ask(self, what: str, work: Callable[[], T]) -> T:
        """Return what comes of some reading.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._guard.call(f"read of {what}", work, patience=_PATIENCE)
