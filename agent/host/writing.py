"""Whether a small file that is written to a disk can be read again, and how long that takes.

One file at a time in a directory, under one name: what a crash leaves is removed by the next try.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from typing import Final

NAME: Final = ".nodemend-write-probe"
SIZE: Final = 4096

_NOT_THE_DISKS: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOENT,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
    }
)


class CorruptError(OSError):
    """What was read is not what was written."""


class NotTriedError(Exception):
    """Something kept us from writing that says nothing of the disk: no right, no room, no place."""


def write(directory: str) -> float:
    """Write a small file, sync it, read it back and remove it; return the seconds until it is safe.

    Raises:
        NotTriedError: it could not even be tried.
        OSError: the disk did not do it.
    """
    with _excused():
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return _write(folder)
    finally:
        os.close(folder)


def named(error: OSError) -> str:
    """Return the short name of what went wrong, such as `EIO`."""
    if isinstance(error, CorruptError):
        return "corrupt"
    return errno.errorcode.get(error.errno or 0, "other")


def _write(folder: int) -> float:
    content = os.urandom(SIZE)
    began = time.monotonic()
    with _excused():
        _remove(folder)
        file = os.open(NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    try:
        with _excused():
            os.write(file, content)
        os.fsync(file)  # what was taken must get there: no room now is the disk's own fault
        took = time.monotonic() - began
        _check(file, content)
    finally:
        os.close(file)
        _remove(folder)
    return took


@contextlib.contextmanager
def _excused() -> Iterator[None]:
    """Rename what is not the disk's fault."""
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_THE_DISKS:
            raise NotTriedError(error.strerror) from error
        raise


def _check(file: int, content: bytes) -> None:
    """Read a file back from the disk: the kernel is asked to forget what it remembers of it."""
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    if os.pread(file, SIZE, 0) != content:
        raise CorruptError("what was read is not what was written")


def _remove(folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NAME, dir_fd=folder)
