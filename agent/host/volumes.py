"""The door to what the machine keeps its data on: filesystems, and the disks below them."""

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from agent.host import arrays, disks, fstab, mounts, places
from agent.host.arrays import Arrays
from agent.host.disks import Storage
from agent.host.guard import Guard
from agent.host.mounts import Filesystem
from agent.host.places import Place
from agent.host.reader import Reader
from agent.host.strain import Strain, Strains
from agent.host.writing import NotTriedError

Statvfs: TypeAlias = Callable[[str], os.statvfs_result]
Write: TypeAlias = Callable[[str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a filesystem is left for a process without privileges."""

    blocks: int
    """Blocks that such a process could ever use: those reserved for root are none of them."""
    free_blocks: int
    inodes: int
    """Zero where the filesystem makes inodes as it needs them, as btrfs does."""
    free_inodes: int


class Volumes:
    """What is mounted, how much is left, and how it fares.

    What hangs is known by the kernel's number of its filesystem besides its path: where a dead one
    was let go of, another may be mounted, and be well.

    Args:
        guard: Makes calls that a sick disk or a dead file server may never answer.
        root: Where the host's root directory is mounted.
        mountinfo: The table of mounts in the agent's own namespace.
        uptime: Reads for how many seconds the machine has been up.
        statvfs: How a filesystem is measured.
        write: How a directory is written to.
    """

    def __init__(
        self,
        guard: Guard,
        root: Path,
        *,
        mountinfo: Path,
        uptime: Callable[[], Awaitable[float]],
        statvfs: Statvfs,
        write: Write,
    ) -> None:
        self._guard, self._reader, self._root = guard, Reader(guard), root
        self._mountinfo, self._uptime = mountinfo, uptime
        self._statvfs, self._write = statvfs, write
        self._sysfs = root / "sys"
        self._strains = Strains(self._sysfs)

    async def filesystems(self) -> tuple[Filesystem, ...]:
        """Read what is mounted, pseudo filesystems included."""
        return mounts.table(await self._reader.read(self._mountinfo), PurePosixPath(self._root))

    async def usage(self, filesystem: Filesystem, *, patience: timedelta) -> Usage:
        """Measure a filesystem.

        Raises:
            agent.host.guard.HungError: it does not answer within the patience.
            OSError: it cannot be measured.
        """
        name = f"{filesystem.mount} ({filesystem.number})"
        return await self._measured(filesystem.path, name, patience)

    async def room(self, folder: str, *, patience: timedelta) -> Usage:
        """Measure the filesystem that a folder of the host lies on; raises likewise."""
        carrying = places.carrying(folder, await self.filesystems())
        name = f"{folder} ({carrying.number})" if carrying else folder
        return await self._measured(str(self._root / folder.lstrip("/")), name, patience)

    async def places(self, directories: Collection[str]) -> tuple[Place, ...]:
        """Find on which filesystems directories of the host lie, and where we may write to them."""
        table, root = await self._reader.read(self._mountinfo), PurePosixPath(self._root)
        below, own = mounts.table(table, root), mounts.table(table, PurePosixPath("/"))
        return places.found(directories, root=root, below=below, own=own)

    async def write(self, place: Place, *, patience: timedelta) -> float:
        """Write a small file, read it back and remove it; return the seconds until it was safe.

        Raises:
            agent.host.guard.HungError: it did not end within the patience, or an earlier one hangs.
            agent.host.writing.NotTriedError: it could not be tried.
            OSError: the disk did not do it.
        """
        path = place.path
        if path is None:
            raise NotTriedError("the agent may only read there")
        key = f"write to {place.mount} ({place.number})"
        return await self._guard.call(key, lambda: self._write(path), patience=patience)

    async def by_device(self, filesystems: Collection[Filesystem]) -> Mapping[str, str]:
        """Find where filesystems are mounted, by the kernel's names of their devices."""
        return await self._reader.ask("volumes", lambda: disks.volumes(self._sysfs, filesystems))

    async def disks(self, filesystems: Collection[Filesystem]) -> Storage | None:
        """Read which disks there are, and which of them carry some filesystems."""
        return await self._reader.ask("disks", lambda: disks.found(self._sysfs, filesystems))

    async def strains(self) -> tuple[Strain, ...]:
        """Read what each disk did since this was asked last."""
        uptime = await self._uptime()
        return await self._reader.ask("load of disks", lambda: self._strains.look(uptime))

    async def arrays(self) -> Arrays:
        """Read which disks are bundled."""
        return await self._reader.ask("arrays", lambda: arrays.found(self._sysfs))

    async def fstab(self) -> tuple[str, ...]:
        """Read what the host mounts from boot on."""
        return await self._reader.ask("fstab", lambda: fstab.mounts(self._root))

    async def _measured(self, path: str, name: str, patience: timedelta) -> Usage:
        found = await self._guard.call(
            f"statvfs of {name}", lambda: self._statvfs(path), patience=patience
        )
        return Usage(
            blocks=found.f_blocks - found.f_bfree + found.f_bavail,
            free_blocks=found.f_bavail,
            inodes=found.f_files,
            free_inodes=found.f_favail,
        )
