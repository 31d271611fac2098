"""How much is left on each mounted filesystem, and whether it can be written to."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import mounts
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.host.mounts import Filesystem
from agent.host.volumes import Usage
from agent.probe import Past, Probe
from agent.readings import LONGEST_SUBJECT, Reading
from nodehealth.signals import Knowledge

SPACE: Final = "disk.free_ratio"
INODES: Final = "disk.free_inodes_ratio"
READ_ONLY: Final = "disk.read_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystems(Probe):
    """Watches how full the host's filesystems are, and which of them turn read-only."""

    mounts: tuple[str, ...] = ()
    """What to watch; by default every filesystem that is not a pod's or the kernel's."""
    most: int = 16
    """How many are watched when none is named: those nearest to the root."""
    patience: timedelta = timedelta(seconds=5)
    """How long one filesystem may take to answer."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Measure all of them at once, so that one that hangs delays no other."""
        mounted = await host.volumes.filesystems()
        measured = await asyncio.gather(
            *(self._measured(host, each, past) for each in self._chosen(mounted, past))
        )
        there = {each.mount for each in mounted}
        gone = (
            _unknown(mount, {}, f"nothing is mounted at {mount}", SPACE, INODES, READ_ONLY)
            for mount in self.mounts
            if mount not in there
        )
        return [reading for readings in (*measured, *gone) for reading in readings]

    def _chosen(self, mounted: Sequence[Filesystem], past: Past) -> Sequence[Filesystem]:
        if self.mounts:
            return [each for each in mounted if each.mount in self.mounts]
        known = {subject for name, subject in past if name == READ_ONLY}
        return mounts.watched(mounted, known)[: self.most]

    async def _measured(self, host: Host, filesystem: Filesystem, past: Past) -> Sequence[Reading]:
        subject = _shortened(filesystem.mount)
        fields = {"device": _shortened(filesystem.device), "fstype": filesystem.fstype}
        writable = _writable(subject, fields, filesystem, past)
        try:
            usage = await host.volumes.usage(filesystem, patience=self.patience)
        except HungError as hung:
            return writable, *_unknown(subject, fields, str(hung), SPACE, INODES)
        except OSError as error:
            why = error.strerror or str(error)
            return writable, *_unknown(subject, fields, why, SPACE, INODES)
        return writable, *_known(subject, fields, usage)


def _known(subject: str, fields: dict[str, str], usage: Usage) -> Sequence[Reading]:
    return (
        _share(SPACE, subject, fields, usage.free_blocks, usage.blocks),
        _share(INODES, subject, fields, usage.free_inodes, usage.inodes),
    )


def _share(name: str, subject: str, fields: dict[str, str], free: int, of: int) -> Reading:
    if of <= 0:
        absent = Knowledge.NOT_APPLICABLE
        return Reading(name=name, subject=subject, fields=fields, knowledge=absent)
    return Reading(name=name, subject=subject, fields=fields, value=free / of)


def _writable(subject: str, fields: dict[str, str], filesystem: Filesystem, past: Past) -> Reading:
    """Say whether it turned read-only: one that was never seen writable may be meant to be so."""
    before = past.get((READ_ONLY, subject))
    is_known = before is not None and before.value is not None and before.fields == fields
    if filesystem.takes_no_writes and not is_known:
        absent = Knowledge.NOT_APPLICABLE
        return Reading(name=READ_ONLY, subject=subject, fields=fields, knowledge=absent)
    value = float(filesystem.takes_no_writes)
    return Reading(name=READ_ONLY, subject=subject, fields=fields, value=value)


def _unknown(subject: str, fields: dict[str, str], why: str, *names: str) -> Sequence[Reading]:
    return tuple(
        Reading(name=name, subject=subject, fields=fields, knowledge=Knowledge.UNKNOWN, why=why)
        for name in names
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SUBJECT else f"{name[: LONGEST_SUBJECT - 1]}…"
