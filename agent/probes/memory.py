"""How much memory is left, and how badly it is missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.signals import Knowledge

AVAILABLE: Final = "memory.available_ratio"
OOM_KILLS: Final = "memory.oom_kills"
PRESSURE: Final = "memory.pressure_full_avg60"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Probe):
    """Watches the memory of the whole node."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:  # noqa: ARG002 - memory has no past
        """Say what is left, what was killed for it, and how much waited for it."""
        memory = await host.memory()
        levels = (
            _level(AVAILABLE, _share(memory.available, memory.total)),
            _level(PRESSURE, memory.stalled),
        )
        if memory.oom_kills is None:
            return levels
        uptime = await host.uptime()
        return *levels, Counter(name=OOM_KILLS, total=memory.oom_kills, uptime=uptime)


def _share(available: int | None, total: int | None) -> float | None:
    return available / total if available is not None and total else None


def _level(name: str, value: float | None) -> Reading:
    if value is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, value=value)
