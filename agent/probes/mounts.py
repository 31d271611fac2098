"""Whether what is to be mounted is, and whether filesystems on the network answer."""

import asyncio
import errno
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import mounts
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.host.mounts import Filesystem
from agent.probe import Past, Probe
from agent.readings import LONGEST_SUBJECT, Reading
from nodehealth.signals import Knowledge

HUNG: Final = "disk.mount_hung"
MISSING: Final = "disk.mount_missing"

_NETWORK: Final = frozenset(
    """
    9p acfs afs beegfs ceph cifs curvefs fuse.glusterfs fuse.juicefs fuse.s3fs glusterfs gpfs lustre
    nfs nfs4 ocfs2 orangefs panfs pvfs2 smb3 smbfs vboxsf virtiofs wekafs
    """.split()  # noqa: SIM905 - a list of two dozen quoted names is half a page long
)
_DEAD: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.ENETUNREACH,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.ENXIO,
        errno.ESHUTDOWN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""What a mount says whose server, or whose program, is gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts(Probe):
    """Watches what /etc/fstab mounts from boot on, and the host's own mounts over the network.

    Those of pods are left to whoever runs them: they come and go all day.
    """

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    expected: tuple[str, ...] = ()
    """What is to be mounted besides, from now on and not only once it was."""
    patience: timedelta = timedelta(seconds=10)
    """How long one filesystem may take to answer."""
    most: int = 16
    """How many are asked, those nearest to the root."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Ask those on the network all at once: one that hangs delays no other."""
        mounted = await host.volumes.filesystems()
        remote = [each for each in mounts.watched(mounted) if _is_remote(each)]
        asked = await asyncio.gather(*(self._asked(host, each) for each in remote[: self.most]))
        listed = await host.volumes.fstab()
        return [*asked, *self._presence(listed, {each.mount for each in mounted}, past)]

    async def _asked(self, host: Host, filesystem: Filesystem) -> Reading:
        subject = _shortened(filesystem.mount)
        fields = {"device": _shortened(filesystem.device), "fstype": filesystem.fstype}
        try:
            await host.volumes.usage(filesystem, patience=self.patience)
        except HungError:
            told = {**fields, "error": "does not answer"}
            return Reading(name=HUNG, subject=subject, fields=told, value=1.0)
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno in _DEAD:
                return Reading(name=HUNG, subject=subject, fields={**fields, "error": why}, value=1)
            unknown = Knowledge.UNKNOWN
            return Reading(name=HUNG, subject=subject, fields=fields, knowledge=unknown, why=why)
        return Reading(name=HUNG, subject=subject, fields=fields, value=0.0)

    def _presence(
        self, listed: Collection[str], there: Collection[str], past: Past
    ) -> Iterator[Reading]:
        """Miss what is named, and of what is listed that which was mounted in this boot."""
        for mount in dict.fromkeys((*self.expected, *listed)):
            subject = _shortened(mount)
            before = past.get((MISSING, subject))
            was_there = before is not None and before.value is not None
            if mount in there or was_there or mount in self.expected:
                yield Reading(name=MISSING, subject=subject, value=float(mount not in there))


def _is_remote(filesystem: Filesystem) -> bool:
    return filesystem.fstype in _NETWORK or filesystem.fstype.startswith("fuse.")


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SUBJECT else f"{name[: LONGEST_SUBJECT - 1]}…"
