"""What disks say of their own health, if there is a program that may ask them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import smart
from agent.host.checks.facts import Result
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth import quantities
from nodehealth.signals import Knowledge

WARNING: Final = "nvme.critical_warning"
USED: Final = "nvme.used_ratio"
SPARE: Final = "nvme.spare_ratio"
MEDIA_ERRORS: Final = "nvme.media_errors"
FAILING: Final = "block.failing"
UNREADABLE: Final = "block.unreadable_sectors"
REALLOCATED: Final = "block.reallocated_sectors"
UNCORRECTED: Final = "block.uncorrected_errors"

_WORDS: Final = {1: "spares", 2: "temperature", 4: "unreliable", 8: "read-only", 16: "backup"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SMART(Probe):
    """Runs smartctl or nvme for each disk in this machine, seldom: they ask firmware.

    NVMe disks are asked as their controllers; of the others those that the kernel drives as SCSI
    disks, which SATA disks are too: what a hypervisor makes otherwise has nothing to say.
    """

    interval: timedelta = timedelta(minutes=1)
    """How often is looked which of them is due."""
    command: str = ""
    """The path of smartctl or nvme in the agent's own filesystem; by default smartctl, where it is
    there and the agent has the device of any disk."""
    every: timedelta = timedelta(hours=1)
    """How often each disk is asked."""
    memory: str = "64Mi"
    """How much the program may have."""
    patience: timedelta = timedelta(seconds=10)
    """How long a look waits for it; what takes longer goes on meanwhile."""
    most: int = 32
    """How many SATA and SAS disks are asked, and how many NVMe disks."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ValueError: the path is not absolute, or the memory is no size.
        """
        if self.command and not self.command.startswith("/"):
            raise ValueError(f"expected an absolute path, got {self.command!r}")
        if quantities.size(self.memory) <= 0:
            raise ValueError(f"expected memory such as 64Mi, got {self.memory!r}")

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say what each of them said last."""
        del past
        command = self.command or await host.tool("smartctl")
        storage = await host.volumes.disks(()) if command else None
        if storage is None:
            return []
        controllers = [each.name for each in storage.controllers][: self.most]
        disks = [each.name for each in storage.disks if each.name.startswith("sd")]
        disks = [] if smart.is_nvme(command) else disks[: self.most]
        if not (self.command or await host.has_device((*controllers, *disks))):
            return []
        results = await self._asked(host, command, (*controllers, *disks))
        uptime = await host.uptime()
        return [
            *(each for name in controllers for each in _controller(name, results[name], uptime)),
            *(each for name in disks for each in _disk(name, results[name], uptime)),
        ]

    async def _asked(self, host: Host, command: str, names: Sequence[str]) -> Mapping[str, Result]:
        programs = [
            smart.program(command, name, str(host.devices / name), self.every) for name in names
        ]
        memory = quantities.size(self.memory)
        return await host.query(programs, memory=memory, patience=self.patience)


def _controller(name: str, result: Result, uptime: float) -> Iterator[Answer]:
    health = result.why or smart.health(result.message)
    if isinstance(health, str):
        yield from _unknown(name, health, WARNING, USED, SPARE)
        return
    means = " ".join(word for bit, word in _WORDS.items() if health.warning & bit)
    fields = {"means": means} if means else {}
    yield Reading(name=WARNING, subject=name, fields=fields, value=float(health.warning))
    yield Reading(name=USED, subject=name, value=health.used / 100)
    yield _level(SPARE, name, health.spare)
    yield Counter(name=MEDIA_ERRORS, subject=name, total=health.media_errors, uptime=uptime)


def _disk(name: str, result: Result, uptime: float) -> Iterator[Answer]:
    disk = result.why or smart.disk(result.message)
    if isinstance(disk, str):
        yield from _unknown(name, disk, FAILING, UNREADABLE)
        return
    yield _level(FAILING, name, disk.fails)
    yield _level(UNREADABLE, name, disk.unreadable)
    for signal, total in ((REALLOCATED, disk.reallocated), (UNCORRECTED, disk.uncorrected)):
        if total is not None:
            yield Counter(name=signal, subject=name, total=total, uptime=uptime)


def _level(name: str, subject: str, value: float | None) -> Reading:
    if value is None:
        return Reading(name=name, subject=subject, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, subject=subject, value=float(value))


def _unknown(subject: str, why: str, *signals: str) -> Iterator[Reading]:
    for name in signals:
        yield Reading(name=name, subject=subject, knowledge=Knowledge.UNKNOWN, why=why)
