"""Whether the node's disks still end what they begin, and how long they take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.linux import Host
from agent.host.strain import Strain
from agent.probe import Past, Probe
from agent.readings import Reading

STUCK: Final = "block.stuck"
LATENCY: Final = "block.latency_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLoad(Probe):
    """Watches every disk with hardware, or a hypervisor, behind it."""

    patience: timedelta = timedelta(minutes=1)
    """For how long nothing may end while something is under way."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Say how each disk did since the last look."""
        strains = await host.volumes.strains()
        stuck = (self._stuck(each, past) for each in strains)
        return [*stuck, *(reading for each in strains for reading in _latency(each, past))]

    def _stuck(self, strain: Strain, past: Past) -> Reading:
        """Go on with what another agent found, until it is clear that it is over."""
        if strain.stalled is None:
            before = past.get((STUCK, strain.name))
            was_stuck = before is not None and bool(before.value) and strain.waiting > 0
            return Reading(name=STUCK, subject=strain.name, value=float(was_stuck))
        is_stuck = strain.stalled >= self.patience.total_seconds()
        return Reading(name=STUCK, subject=strain.name, value=float(is_stuck))


def _latency(strain: Strain, past: Past) -> Iterator[Reading]:
    """Give the mean of what ended; while nothing does, what it was stands."""
    before = past.get((LATENCY, strain.name))
    known = before.value if before is not None else None
    if strain.ended:
        value: float | None = strain.seconds / strain.ended
    elif strain.stalled is None or strain.waiting:
        value = known
    else:
        value = 0.0
    if value is not None:
        yield Reading(name=LATENCY, subject=strain.name, value=value)
