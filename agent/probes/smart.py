"""What NVMe disks say of their own health, if there is a program that may ask them."""

from collections.abc import Iterator, Sequence
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
MEDIA_ERRORS: Final = "nvme.media_errors"

_WORDS: Final = {1: "spares", 2: "temperature", 4: "unreliable", 8: "read-only", 16: "backup"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SMART(Probe):
    """Runs smartctl or nvme for each NVMe controller in this machine, seldom: they ask firmware."""

    interval: timedelta = timedelta(minutes=1)
    """How often is looked which of them is due."""
    command: str = ""
    """The path of smartctl or nvme in the agent's own filesystem; nobody is asked without it."""
    every: timedelta = timedelta(hours=1)
    """How often each controller is asked."""
    memory: str = "64Mi"
    """How much the program may have."""
    patience: timedelta = timedelta(seconds=10)
    """How long a look waits for it; what takes longer goes on meanwhile."""

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
        if not self.command:
            return []
        storage = await host.volumes.disks(())
        names = [each.name for each in storage.controllers] if storage is not None else []
        programs = [
            smart.program(self.command, name, str(host.root / "dev" / name), self.every)
            for name in names
        ]
        memory = quantities.size(self.memory)
        results = await host.query(programs, memory=memory, patience=self.patience)
        uptime = await host.uptime()
        return [answer for name in names for answer in _answers(name, results[name], uptime)]


def _answers(name: str, result: Result, uptime: float) -> Iterator[Answer]:
    health = smart.health(result.message)
    if health is None:
        why = result.why or "the program does not tell the disk's health"
        for signal in (WARNING, USED):
            yield Reading(name=signal, subject=name, knowledge=Knowledge.UNKNOWN, why=why)
        return
    means = " ".join(word for bit, word in _WORDS.items() if health.warning & bit)
    fields = {"means": means} if means else {}
    yield Reading(name=WARNING, subject=name, fields=fields, value=float(health.warning))
    yield Reading(name=USED, subject=name, value=health.used / 100)
    yield Counter(name=MEDIA_ERRORS, subject=name, total=health.media_errors, uptime=uptime)
