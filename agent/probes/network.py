"""Whether the node's interfaces are there, have a link, lose it or lose packets, and lead out."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.host.interfaces import Interface
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Counter, Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge

CARRIER_DOWN: Final = "net.carrier_down"
FLAPS: Final = "net.flaps"
ERRORS: Final = "net.errors"
DROPS: Final = "net.drops"
MISSING: Final = "net.missing"
NO_ROUTE: Final = "net.default_route_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Probe):
    """Watches the host's interfaces and its default route."""

    interfaces: tuple[str, ...] = ()
    """What to watch; by default every interface with hardware of its own. One that is named is
    missed when it is gone; else only those that lead the host out are: others leave with a pod."""
    most: int = 16
    """How many are watched when none is named."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how each interface is, and whether there is a way out."""
        there = await host.network.interfaces(self.interfaces)
        watched = there if self.interfaces else there[: self.most]
        routes = await host.network.default_routes()
        uplinks = await host.network.uplinks({route.interface for route in routes or ()})
        uptime = await host.uptime()
        return [
            _lost(NO_ROUTE, "", past, is_there=None if routes is None else bool(routes)),
            *self._present(there, uplinks, past),
            *[await _gone(each, there, host) for each in _learned(past, there)],
            *(_lost(CARRIER_DOWN, each.name, past, is_there=each.has_carrier) for each in watched),
            *(counter for each in watched for counter in _counters(each, uptime)),
            *(_absent(name) for name in self.interfaces if name not in {i.name for i in there}),
        ]

    def _present(
        self, there: Sequence[Interface], uplinks: Collection[str], past: Past
    ) -> Iterator[Reading]:
        for each in there:
            is_learned = (MISSING, each.name) in past
            if each.device and (is_learned or each.name in uplinks or each.name in self.interfaces):
                master = {"master": each.master} if each.master else {}
                fields = {"device": each.device, **master}
                yield Reading(name=MISSING, subject=each.name, fields=fields, value=0.0)


def _learned(past: Past, there: Sequence[Interface]) -> Iterator[Level]:
    """Give what was there in this boot and is not."""
    names = {each.name for each in there}
    for (name, subject), level in past.items():
        if name == MISSING and level.value is not None and subject not in names:
            yield level


async def _gone(known: Level, there: Sequence[Interface], host: Host) -> Reading:
    """Say that an interface is missing, if the host can have it back and cannot do without.

    It may have another name, or be in a pod's hands, or have been a port of what carries on.
    """
    device, master = (str(known.fields.get(name, "")) for name in ("device", "master"))
    gone = Reading(name=MISSING, subject=known.subject, fields=known.fields, value=1.0)
    if any(each.device == device for each in there):
        return replace(gone, value=0.0)
    if await host.is_driven(device) or (master and await host.network.carries_on(master)):
        return replace(gone, value=None, knowledge=Knowledge.NOT_APPLICABLE)
    return gone


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
