"""Where the agent reaches a directory of the host so that it may write there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from agent.host.mounts import Filesystem

_LOCAL: Final = frozenset({"bcachefs", "btrfs", "zfs"})
"""Filesystems on disks of their own, though their numbers look like those of no disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory, and the filesystem that it lies on."""

    directory: str
    """As the host calls it."""
    mount: str
    """Where the host has the filesystem."""
    number: str
    path: str | None
    """Where the agent may write to it; None where it may not."""
    is_local: bool
    """Whether the filesystem lies on a disk, and neither in memory nor in another machine."""


def found(
    directories: Iterable[str],
    *,
    root: PurePosixPath,
    below: Sequence[Filesystem],
    own: Sequence[Filesystem],
) -> tuple[Place, ...]:
    """Find the filesystem of each directory, and the way to it.

    Args:
        directories: Their absolute paths on the host.
        root: Where the host's root directory is mounted.
        below: What is mounted there, by the host's names.
        own: What is mounted in the agent's own namespace, by its own names. A container that may
            only read the host's root directory has that part of the host where it may write
            mounted once more, at the path that it has on the host.
    """
    carried = ((each, carrying(each, below)) for each in directories)
    return tuple(
        _place(directory, filesystem, _way(directory, filesystem, root, own))
        for directory, filesystem in carried
        if filesystem is not None
    )


def carrying(directory: str, filesystems: Iterable[Filesystem]) -> Filesystem | None:
    """Find the filesystem that a directory lies on."""
    path = PurePosixPath(directory)
    above = [each for each in filesystems if path.is_relative_to(each.mount)]
    return max(above, key=lambda each: len(each.mount), default=None)


def _place(directory: str, filesystem: Filesystem, path: str | None) -> Place:
    return Place(
        directory=directory,
        mount=filesystem.mount,
        number=filesystem.number,
        path=path,
        is_local=not filesystem.number.startswith("0:") or filesystem.fstype in _LOCAL,
    )


def _way(
    directory: str, filesystem: Filesystem, root: PurePosixPath, own: Sequence[Filesystem]
) -> str | None:
    if not filesystem.read_only:
        return str(root / directory.lstrip("/"))
    other = carrying(directory, own)
    if other is None or other.read_only or other.number != filesystem.number:
        return None
    return directory
