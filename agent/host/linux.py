"""The one door to the machine: what probes may ask of it, with nothing in it that can hang them."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from agent.host import mounts
from agent.host.guard import Guard
from agent.host.mounts import Filesystem

PROC_PATIENCE: Final = timedelta(seconds=5)
"""How long the kernel may take to answer from procfs."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
MOUNTINFO: Final = Path("/proc/self/mountinfo")

Statvfs: TypeAlias = Callable[[str], os.statvfs_result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a filesystem is left for a process without privileges."""

    blocks: int
    """Blocks that such a process could ever use: those reserved for root are none of them."""
    free_blocks: int
    inodes: int
    """Zero where the filesystem makes inodes as it needs them, as btrfs does."""
    free_inodes: int


class Host:
    """The machine, seen below a root.

    Args:
        root: Where the host's root directory is mounted: `/` outside a container.
        boot_id: The file that tells one boot from the next.
        mountinfo: The table of mounts in the agent's own namespace.
        statvfs: How a filesystem is measured.
    """

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        boot_id: Path = BOOT_ID,
        mountinfo: Path = MOUNTINFO,
        statvfs: Statvfs = os.statvfs,
    ) -> None:
        self.root = root
        self.hostname = socket.gethostname()
        self._boot_id = boot_id
        self._mountinfo = mountinfo
        self._statvfs = statvfs
        self._guard = Guard()

    async def boot_id(self) -> str:
        """Read which boot this is."""
        return (await self._read(self._boot_id)).decode().strip()

    async def filesystems(self) -> tuple[Filesystem, ...]:
        """Read what is mounted, pseudo filesystems included."""
        return mounts.table(await self._read(self._mountinfo), PurePosixPath(self.root))

    async def usage(self, filesystem: Filesystem, *, patience: timedelta) -> Usage:
        """Measure a filesystem.

        Raises:
            agent.host.guard.HungError: it does not answer within the patience.
            OSError: it cannot be measured.
        """
        path = filesystem.path
        found = await self._guard.call(
            f"statvfs of {filesystem.mount}", lambda: self._statvfs(path), patience=patience
        )
        return Usage(
            blocks=found.f_blocks - found.f_bfree + found.f_bavail,
            free_blocks=found.f_bavail,
            inodes=found.f_files,
            free_inodes=found.f_favail,
        )

    async def _read(self, path: Path) -> bytes:
        return await self._guard.call(f"read of {path}", path.read_bytes, patience=PROC_PATIENCE)
