"""Whether the machine's InfiniBand, RoCE and EFA ports are there, active, fast and clean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent import hours
from agent.host.linux import Host
from agent.host.rdma import Adapter, Port
from agent.probe import Past, Probe
from agent.readings import FLEETING, Answer, Aside, Counter, Gap, Memo, Reading
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Fields, Level
from nodehealth.signals import Kind, Knowledge

MISSING: Final = "ib.device_missing"
DOWN: Final = "ib.port_down"
SLOW: Final = "ib.port_slow"

COUNTED: Final[Mapping[str, tuple[str, ...]]] = {
    "ib.errors": ("counters/symbol_error", "counters/port_rcv_errors"),
    "ib.drops": ("counters/port_xmit_discards", "hw_counters/rx_drops"),
    "ib.retransmits": (
        "hw_counters/retrans_pkts",
        "hw_counters/local_ack_timeout_err",
        "hw_counters/packet_seq_err",
        "hw_counters/roce_slow_restart",
    ),
    "ib.link_downed": ("counters/link_downed",),
    "ib.link_recoveries": ("counters/link_error_recovery",),
    "ib.integrity_errors": (
        "counters/local_link_integrity_errors",
        "counters/excessive_buffer_overrun_errors",
    ),
    "ib.retries_exceeded": (
        "hw_counters/rnr_nak_retry_err",
        "hw_counters/req_transport_retries_exceeded",
        "hw_counters/unresponsive_remote_events",
    ),
    "ib.requests_failed": ("hw_counters/rdma_read_wr_err", "hw_counters/rdma_write_wr_err"),
}
"""By signal the counters whose sum it grows by."""

SYMBOLS: Final = "ib.symbol_errors"
_SYMBOL_ERROR: Final = "counters/symbol_error"
_MOST_SYMBOLS: Final = 1200
"""Of what is far too much, how much it is makes no difference; and each step is a write."""

_COUNTERS: Final = "counters"
_REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RDMA(Probe):
    """Watches every adapter that is no virtual function."""

    devices: tuple[str, ...] = ()
    """Adapters such as `mlx5_0` to watch, whose ports are to be active from boot on; by default
    all of them, and their ports once they were."""
    rate: int = 0
    """Gigabits a second that each port is to have; by default the most that it had in this boot."""
    most: int = 16
    """How many are watched when none is named."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say how each port is, and remember which counters it has and which refused."""
        there = await host.network.adapters(_refused(past))
        if self.devices:
            watched = [each for each in there if each.name in self.devices]
        else:
            watched = list(there[: self.most])
        ports = [port for each in watched for port in each.ports]
        uptime = await host.uptime()
        return [
            *(_present(each) for each in watched),
            *[await _gone(each, there, host) for each in _learned(past, there)],
            *self._absent(past, there),
            *(self._down(each, past) for each in ports),
            *(self._slow(each, past) for each in ports),
            *(answer for each in ports for answer in _counted(each, past, uptime)),
            *(answer for each in ports for answer in _symbols(each, past, uptime)),
            *(gap for each in ports for gap in _gaps(each, past)),
            *_remembered(watched, past),
        ]

    def _absent(self, past: Past, there: Sequence[Adapter]) -> Iterator[Reading]:
        """Name what is to be there and never was."""
        known = {each.name for each in there} | {each.subject for each in _learned(past, there)}
        for name in self.devices:
            if name not in known:
                why = "there is no such adapter"
                yield Reading(name=MISSING, subject=name, knowledge=Knowledge.UNKNOWN, why=why)

    def _down(self, port: Port, past: Past) -> Reading:
        before = past.get((DOWN, port.name))
        was_up = before is not None and before.value is not None
        is_missed = was_up or bool(self.devices)
        if not port.works and not (is_missed and port.is_wanted):
            return Reading(name=DOWN, subject=port.name, knowledge=Knowledge.NOT_APPLICABLE)
        if port.works:
            return Reading(name=DOWN, subject=port.name, value=0.0)
        fields = {"layer": port.layer, "link": "up" if port.has_link else "down"}
        return Reading(name=DOWN, subject=port.name, fields=fields, value=1.0)

    def _slow(self, port: Port, past: Past) -> Reading:
        before = past.get((SLOW, port.name))
        fields = before.fields if before is not None else {}
        most = int(fields.get("expected", 0))
        if not port.works or not port.rate:
            absent = Knowledge.NOT_APPLICABLE
            return Reading(name=SLOW, subject=port.name, fields=fields, knowledge=absent)
        expected = self.rate or max(most, port.rate)
        told = {"rate": port.rate, "expected": expected}
        value = float(port.rate < expected)
        return Reading(name=SLOW, subject=port.name, fields=told, value=value)


def _learned(past: Past, there: Sequence[Adapter]) -> Iterator[Level]:
    """Give what was there in this boot and is not, with what is remembered of it."""
    names = {each.name for each in there}
    for (name, subject), level in past.items():
        if not name and "device" in level.fields and subject not in names:
            yield level


def _refused(past: Past) -> dict[str, Sequence[str]]:
    return {
        subject: str(level.fields[_REFUSED]).split()
        for (name, subject), level in past.items()
        if not name and _REFUSED in level.fields
    }


def _remembered(adapters: Sequence[Adapter], past: Past) -> Iterator[Memo]:
    """Remember adapters and their ports, also those that are not there at the moment."""
    known: dict[str, Fields] = {
        subject: level.fields
        for (name, subject), level in past.items()
        if not name and not subject.startswith(FLEETING)
    }
    for adapter in adapters:
        known[adapter.name] = {"device": adapter.device, "driver": adapter.driver}
        for port in adapter.ports:
            lists = {_COUNTERS: _known(port, past), _REFUSED: port.refused}
            known[port.name] = {name: " ".join(sorted(has)) for name, has in lists.items() if has}
    for name, fields in known.items():
        yield Memo(subject=name, fields=fields)


def _present(adapter: Adapter) -> Reading:
    return Reading(name=MISSING, subject=adapter.name, value=0.0)


async def _gone(known: Level, there: Sequence[Adapter], host: Host) -> Reading:
    """Say that an adapter is missing, unless it has another name, or another driver or none."""
    device, driver = (str(known.fields.get(name, "")) for name in ("device", "driver"))
    gone = Reading(name=MISSING, subject=known.subject, value=1.0)
    excused = Reading(name=MISSING, subject=known.subject, knowledge=Knowledge.NOT_APPLICABLE)
    if any(each.device == device for each in there):
        return excused
    if not await host.is_on_bus(device):
        return gone
    is_elsewhere = await host.is_driven(device) or not await host.has_driver(driver)
    return excused if is_elsewhere else gone


def _before(port: Port, past: Past) -> frozenset[str]:
    """Return the counters that a port had in this boot by the look before."""
    memo = past.get(("", port.name))
    return frozenset(str(memo.fields.get(_COUNTERS, "")).split() if memo is not None else ())


def _known(port: Port, past: Past) -> frozenset[str]:
    """Return the counters that a port had in this boot."""
    return _before(port, past).union(port.refused, port.counters)


def _broken(port: Port, past: Past) -> Mapping[str, str]:
    """Say of which counters it is not known what they counted since the look before."""
    before = _before(port, past)
    gone = before - port.counters.keys() - port.refused
    new = port.counters.keys() - before if before else frozenset[str]()
    every = {"cannot be read": port.refused, "is gone": gone, "is new": new}
    return {name: f"{name} {why}" for why, names in every.items() for name in sorted(names)}


def _full(port: Port) -> Mapping[str, str]:
    return {name: f"{name} is full" for name in sorted(port.full)}


def _gaps(port: Port, past: Past) -> Iterator[Gap]:
    for why in (*_broken(port, past).values(), *_full(port).values()):
        yield Gap(why=f"{port.name}: {why}")


def _counted(port: Port, past: Past, uptime: float) -> Iterator[Counter | Reading]:
    """Say how far the counters of a port stand, of each signal all of them or nothing.

    One that is left out once and comes back would look like errors. One that is full counted what
    happened until then: as events that is so many at least, as a rate it says nothing.
    """
    known, broken = _known(port, past), _broken(port, past)
    for name, parts in COUNTED.items():
        has = [each for each in parts if each in known]
        is_event = CATALOGUE[name].kind is Kind.EVENT
        troubles = broken if is_event else {**_full(port), **broken}
        reasons = [troubles[each] for each in has if each in troubles]
        if has and not reasons:
            total = sum(port.counters[each] for each in has)
            yield Counter(name=name, subject=port.name, total=total, uptime=uptime)
        elif has and not is_event:
            yield _unknown(name, port, reasons[0])


def _symbols(port: Port, past: Past, uptime: float) -> Iterator[Reading | Memo]:
    """Say how many symbols arrived damaged within an hour, and remember when the hour began.

    Of what filled the counter it is known that it was far too much.
    """
    subject = f"{FLEETING}{port.name}"
    before = past.get(("", subject))
    known = before.fields if before is not None else {}
    total = port.counters.get(_SYMBOL_ERROR)
    why = {**_full(port), **_broken(port, past)}.get(_SYMBOL_ERROR)
    most = 0
    if total is not None:
        hour = hours.of(known, total, uptime)
        known, most = hour.fields, min(hour.most(total), _MOST_SYMBOLS)
    if known:
        yield Memo(subject=subject, fields=known)
    if why and most < _MOST_SYMBOLS:
        yield _unknown(SYMBOLS, port, why)
    elif total is not None:
        yield Reading(name=SYMBOLS, subject=port.name, value=float(most))


def _unknown(name: str, port: Port, why: str) -> Reading:
    return Reading(name=name, subject=port.name, knowledge=Knowledge.UNKNOWN, why=why)
