"""What the node runs out of, or waits for, without being full: threads, files, watches, time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.host import limits, pressure
from agent.host.limits import Stock
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.signals import Knowledge

THREADS: Final = "limits.threads_free_ratio"
FILES: Final = "limits.files_free_ratio"
INOTIFY: Final = "limits.inotify_exhausted"
CPU_PRESSURE: Final = "cpu.pressure_some_avg300"
IO_PRESSURE: Final = "io.pressure_full_avg300"

_ENOUGH: Final = 0.5
"""What is left beyond that goes up and down with the work, and concerns nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Probe):
    """Reads what is left of what the kernel gives out, and who waits for it."""

    inotify: bool = True
    """Whether to ask for a watch, and give it back."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:  # noqa: ARG002 - limits have no past
        """Say what is left."""
        left = await host.ask("limits", limits.read)
        told = [
            _level(THREADS, _left(left.threads)),
            _level(FILES, _left(left.files)),
            _level(CPU_PRESSURE, await host.ask("pressure of cpu", pressure.of_cpu)),
            _level(IO_PRESSURE, await host.ask("pressure of io", pressure.of_io)),
        ]
        return [*told, await _watches(host)] if self.inotify else told


def _left(stock: Stock | None) -> float | None:
    return None if stock is None else min(stock.free, _ENOUGH)


def _level(name: str, value: float | None) -> Reading:
    if value is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, value=value)


async def _watches(host: Host) -> Reading:
    try:
        what = await host.watches()
    except OSError as refusal:
        why = f"it cannot be asked: {refusal.strerror}"
        return Reading(name=INOTIFY, knowledge=Knowledge.UNKNOWN, why=why)
    return Reading(name=INOTIFY, value=float(bool(what)), fields={"what": what} if what else {})
