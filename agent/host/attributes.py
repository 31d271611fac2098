"""The small files of procfs and sysfs, in which not being there is an answer too."""

import errno
import os
from pathlib import Path
from typing import Final

_NOT_APPLICABLE: Final = frozenset(
    {errno.EINVAL, errno.ENODEV, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EOPNOTSUPP}
)
"""What the kernel says of something that is not there, not any more, or has no such property."""


def text(path: Path) -> str | None:
    """Return what a file says, or None where there is nothing to say.

    Raises:
        OSError: there is something, but it cannot be read.
    """
    try:
        return path.read_text(errors="replace").strip()
    except OSError as error:
        if error.errno in _NOT_APPLICABLE:
            return None
        raise


def number(path: Path) -> int | None:
    """Return the number in a file, decimal or hexadecimal with a `0x`, or None likewise."""
    said = text(path)
    return None if said is None else int(said, 0)


def names(folder: Path) -> tuple[str, ...] | None:
    """Return what lies in a folder in the order of the names, or None where there is none."""
    try:
        return tuple(sorted(each.name for each in folder.iterdir()))
    except OSError as error:
        if error.errno in _NOT_APPLICABLE:
            return None
        raise


def printable(name: str) -> str:
    """Return what people can be told of a name that may not be UTF-8, as files' need not be."""
    return os.fsencode(name).decode(errors="replace")
