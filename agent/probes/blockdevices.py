"""Whether the node's disks are still there, alive, and do what they are told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.host import mounts
from agent.host.disks import Disk, Storage
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge

MISSING: Final = "block.missing"
IO_ERRORS: Final = "block.io_errors"
NOT_LIVE: Final = "nvme.not_live"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevices(Probe):
    """Watches the disks under the host's own filesystems, and every NVMe controller.

    A disk that carries only volumes of pods is not missed: it leaves with its pod. Nor is one
    from which all was unmounted while it was there: somebody may well take it away.
    """

    devices: tuple[str, ...] = ()
    """Disks such as `nvme1n1` that are missed even if no filesystem of the host lies on them."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say which disks are there, which were, and which commands they failed."""
        storage = await host.volumes.disks(mounts.watched(await host.volumes.filesystems()))
        if storage is None:
            return [_unread(*known, "there is no sysfs any more") for known in past]
        uptime = await host.uptime()
        return [
            *self._presence(storage, past),
            *(_state(each.name, each.state) for each in storage.controllers),
            *_errors(storage, uptime),
        ]

    def _presence(self, storage: Storage, past: Past) -> Iterator[Reading]:
        there = {disk.name for disk in storage.disks}
        serials = {disk.serial for disk in storage.disks if disk.serial}
        learned = {
            subject: level
            for (name, subject), level in past.items()
            if name == MISSING and level.value is not None
        }
        for disk in storage.disks:
            if disk.is_in_use or disk.name in self.devices:
                yield _there(disk)
        for name, level in learned.items():
            if name not in there:
                yield _gone(level, is_renamed=level.fields.get("serial") in serials)
        for name in self.devices:
            if name not in there and name not in learned:
                yield _unread(MISSING, name, "there is no such disk")


def _there(disk: Disk) -> Reading:
    fields = {"serial": disk.serial} if disk.serial else {}
    return Reading(name=MISSING, subject=disk.name, fields=fields, value=0.0)


def _gone(known: Level, *, is_renamed: bool) -> Reading:
    """Say that a disk is not there, unless the kernel found it again under another name."""
    value = float(not is_renamed)
    return Reading(name=MISSING, subject=known.subject, fields=known.fields, value=value)


def _state(name: str, state: str) -> Reading:
    is_live = state == "live"
    return Reading(name=NOT_LIVE, subject=name, fields={"state": state}, value=float(not is_live))


def _errors(storage: Storage, uptime: float) -> Iterator[Counter]:
    for disk in storage.disks:
        if disk.errors is not None:
            yield Counter(name=IO_ERRORS, subject=disk.name, total=disk.errors, uptime=uptime)


def _unread(name: str, subject: str, why: str) -> Reading:
    return Reading(name=name, subject=subject, knowledge=Knowledge.UNKNOWN, why=why)
