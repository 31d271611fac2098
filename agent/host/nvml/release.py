"""The file that asks the agent to close NVML, because a GPU is to be reset.

It counts for ten minutes after it was touched last, so that nothing is left of a program that was
killed. Its lock says who works; the kernel lets go of it, however that program ends.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

RELEASE: Final = "run/nodemend/release-nvml"
"""Where it lies, below the host's root."""
EXPIRY: Final = timedelta(minutes=10)
"""For how long it counts after it was touched last."""

_REFRESH: Final = timedelta(minutes=1)


class HeldError(Exception):
    """Somebody else is at it; says who."""


@contextlib.asynccontextmanager
async def held(root: Path, who: str) -> AsyncIterator[None]:
    """Hold NVML released below a root, and remove the file in the end.

    Args:
        root: Where the host's root directory is mounted.
        who: What the file says to people.

    Raises:
        HeldError: another program holds it.
        OSError: the file cannot be made.
    """
    path = root / RELEASE
    file = await _taken(path, who)
    fresh = asyncio.create_task(_keep_fresh(file), name="release")
    try:
        yield
    finally:
        fresh.cancel()
        await asyncio.to_thread(_drop, path, file)


async def _taken(path: Path, who: str) -> int:
    """Take it, or leave nothing of it when we are cancelled: a thread goes on all the same."""
    taking = asyncio.create_task(asyncio.to_thread(_take, path, who))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError, HeldError):
            await asyncio.to_thread(_drop, path, await taking)
        raise


async def _keep_fresh(file: int) -> None:
    while True:
        await asyncio.sleep(_REFRESH.total_seconds())
        os.utime(file)


def _take(path: Path, who: str) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, file):
                os.ftruncate(file, 0)
                os.write(file, f"{who}\n".encode())
                return file
        except BlockingIOError as busy:
            says = os.pread(file, 200, 0).decode(errors="replace").strip()
            os.close(file)
            raise HeldError(says or "another program") from busy
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _drop(path: Path, file: int) -> None:
    """Remove the file while the lock still keeps others from it."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(file)


def _is_still(path: Path, file: int) -> bool:
    """Say whether what we locked is there, and not what its last holder has just removed."""
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False
