"""Whether the processors of the machine are all at work, cool enough, and without alarm."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import processors
from agent.host.linux import Host
from agent.host.processors import Processors as Found
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.signals import Knowledge

OFFLINE: Final = "cpu.offline"
THROTTLED: Final = "cpu.throttled_ratio"
MACHINE_CHECKS: Final = "cpu.machine_checks"

_MILLISECOND: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Processors(Probe):
    """Reads what the kernel says of each of them."""

    interval: timedelta = timedelta(minutes=5)
    """How often: on a large machine the table of interrupts is megabytes long."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how many do not work, how long heat slowed them down, and how often they failed."""
        found = await host.ask("processors", processors.read)
        uptime = await host.uptime()
        return [_offline(found, past), *_counted(found, uptime)]


def _offline(found: Found, past: Past) -> Reading:
    if found.online is None or found.present is None:
        return Reading(name=OFFLINE, knowledge=Knowledge.NOT_APPLICABLE)
    most = _most(found.online, found.present, past) if found.are_left_out else found.present
    return Reading(name=OFFLINE, value=float(max(0, most - found.online)), fields={"most": most})


def _most(online: int, present: int, past: Past) -> int:
    """Return how many there were at most, since it was decided that not all are to work."""
    before = past.get((OFFLINE, ""))
    learned = int(before.fields.get("most", 0)) if before is not None else 0
    return max(online, learned) if learned < present else online


def _counted(found: Found, uptime: float) -> Iterator[Counter]:
    for package, spent in found.throttled.items():
        yield Counter(
            name=THROTTLED,
            subject=f"{package}",
            total=spent,
            uptime=uptime,
            scale=_MILLISECOND,
        )
    if found.machine_checks is not None:
        yield Counter(name=MACHINE_CHECKS, total=found.machine_checks, uptime=uptime)
