"""Whether the node's interfaces have a link, lose it or lose packets, and lead anywhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.host.interfaces import Interface
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.signals import Knowledge

CARRIER_DOWN: Final = "net.carrier_down"
FLAPS: Final = "net.flaps"
ERRORS: Final = "net.errors"
DROPS: Final = "net.drops"
NO_ROUTE: Final = "net.default_route_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Probe):
    """Watches the host's interfaces and its default route."""

    interfaces: tuple[str, ...] = ()
    """What to watch; by default every interface with hardware of its own."""
    most: int = 16
    """How many are watched when none is named."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how each interface is, and whether there is a way out."""
        there = await host.interfaces(self.interfaces)
        watched = there if self.interfaces else there[: self.most]
        has_route = await host.has_default_route()
        uptime = await host.uptime()
        return [
            _lost(NO_ROUTE, "", past, is_there=has_route),
            *(_lost(CARRIER_DOWN, each.name, past, is_there=each.has_carrier) for each in watched),
            *(counter for each in watched for counter in _counters(each, uptime)),
            *(_absent(name) for name in self.interfaces if name not in {i.name for i in there}),
        ]


def _lost(name: str, subject: str, past: Past, *, is_there: bool | None) -> Reading:
    """Say whether something was lost: what never was there in this boot cannot be."""
    before = past.get((name, subject))
    was_there = before is not None and before.value is not None
    if is_there is None or not (is_there or was_there):
        return Reading(name=name, subject=subject, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, subject=subject, value=float(not is_there))


def _absent(name: str) -> Reading:
    why = "there is no such interface"
    return Reading(name=CARRIER_DOWN, subject=name, knowledge=Knowledge.UNKNOWN, why=why)


def _counters(interface: Interface, uptime: float) -> Iterator[Counter]:
    totals = {
        FLAPS: interface.carrier_changes,
        ERRORS: interface.errors,
        DROPS: interface.drops,
    }
    for name, total in totals.items():
        if total is not None:
            yield Counter(name=name, subject=interface.name, total=total, uptime=uptime)
