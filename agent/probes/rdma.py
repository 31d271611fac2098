"""Whether the machine's InfiniBand, RoCE and EFA ports are there, active, fast and clean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent import hours
from agent.host.linux import Host
from agent.host.rdma import Adapter, Port
from agent.probe import Past, Probe
from agent.readings import FLEETING, Answer, Aside, Counter, Memo, Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge

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
        """Say how each port is, and remember which counters are not to be touched again."""
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
            *(counter for each in ports for counter in _counters(each, uptime)),
            *(reading for each in ports for reading in _symbols(each, past, uptime)),
            *(_refusal(each) for each in ports if each.refused),
            *_places(watched, past),
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


def _places(adapters: Sequence[Adapter], past: Past) -> Iterator[Memo]:
    """Remember what each adapter is on its bus, also of those that are not there at the moment."""
    known = {
        subject: level.fields
        for (name, subject), level in past.items()
        if not name and "device" in level.fields
    }
    for each in adapters:
        known[each.name] = {"device": each.device, "driver": each.driver}
    for name, fields in known.items():
        yield Memo(subject=name, fields=fields)


def _refusal(port: Port) -> Memo:
    return Memo(subject=port.name, fields={_REFUSED: " ".join(sorted(port.refused))})


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


def _counters(port: Port, uptime: float) -> Iterator[Counter]:
    for name, parts in COUNTED.items():
        told = [port.counters[each] for each in parts if each in port.counters]
        if told:
            yield Counter(name=name, subject=port.name, total=sum(told), uptime=uptime)


def _symbols(port: Port, past: Past, uptime: float) -> Iterator[Reading | Memo]:
    """Say how many symbols arrived damaged within an hour, and remember when the hour began."""
    total = port.counters.get(_SYMBOL_ERROR)
    if total is None:
        return
    subject = f"{FLEETING}{port.name}"
    known = past.get(("", subject))
    hour = hours.of(known.fields if known is not None else {}, total, uptime)
    yield Memo(subject=subject, fields=hour.fields)
    most = min(hour.most(total), _MOST_SYMBOLS)
    yield Reading(name=SYMBOLS, subject=port.name, value=float(most))
