"""Whether the memory of the machine has errors, and in which of its modules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import edac
from agent.host.edac import Module
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.signals import Knowledge

CORRECTED: Final = "memory.ecc_corrected"
UNCORRECTED: Final = "memory.ecc_uncorrected"

_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModules(Probe):
    """Reads what the memory controllers count."""

    interval: timedelta = timedelta(minutes=5)
    """How often: a module that is corrected all the time makes a write at every look."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:  # noqa: ARG002 - the kernel counts
        """Say how many errors were not corrected, and which modules had some that were."""
        modules = await host.ask("memory modules", edac.read)
        if modules is None:
            return [Reading(name=UNCORRECTED, knowledge=Knowledge.NOT_APPLICABLE)]
        uptime = await host.uptime()
        return [_uncorrected(modules), *(_corrected(each, uptime) for each in modules)]


def _uncorrected(modules: Sequence[Module]) -> Reading:
    bad = [each for each in modules if each.uncorrected]
    named = ", ".join(f"{each.name} {each.label}".strip() for each in bad[:_MOST_NAMED])
    total = sum(each.uncorrected for each in bad)
    return Reading(name=UNCORRECTED, value=float(total), fields={"modules": named} if bad else {})


def _corrected(module: Module, uptime: float) -> Counter:
    fields = {"label": module.label} if module.label else {}
    return Counter(
        name=CORRECTED, subject=module.name, total=module.corrected, uptime=uptime, fields=fields
    )
