"""Which InfiniBand, RoCE and EFA ports the machine has, how they stand, and what they count.

A counter that refused to be read is never read again: some drivers write each try to the kernel's
log, and a few ports fill it within hours.
"""

import errno
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes, interfaces

_ETHERNET: Final = "Ethernet"
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTDIR})
_WORKING: Final = frozenset({"ACTIVE", "ACTIVE_DEFER"})
_IFF_UP: Final = 0x1

COUNTERS: Final = frozenset(
    {
        "counters/excessive_buffer_overrun_errors",
        "counters/link_downed",
        "counters/link_error_recovery",
        "counters/local_link_integrity_errors",
        "counters/port_rcv_errors",
        "counters/port_xmit_discards",
        "counters/symbol_error",
        "hw_counters/local_ack_timeout_err",
        "hw_counters/packet_seq_err",
        "hw_counters/rdma_read_wr_err",
        "hw_counters/rdma_write_wr_err",
        "hw_counters/req_transport_retries_exceeded",
        "hw_counters/retrans_pkts",
        "hw_counters/rnr_nak_retry_err",
        "hw_counters/roce_slow_restart",
        "hw_counters/rx_drops",
        "hw_counters/unresponsive_remote_events",
    }
)
"""All that are ever read: the fewer, the less a sick driver is bothered."""

_BITS: Final[Mapping[str, int]] = {
    "counters/excessive_buffer_overrun_errors": 4,
    "counters/link_downed": 8,
    "counters/link_error_recovery": 8,
    "counters/local_link_integrity_errors": 4,
    "counters/port_rcv_errors": 16,
    "counters/port_xmit_discards": 16,
    "counters/symbol_error": 16,
}
"""How wide InfiniBand has made its own counters, and the kernel reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port of an RDMA device."""

    name: str
    """Such as `mlx5_0/1`."""
    layer: str
    """`InfiniBand`, `Ethernet`, or `Unspecified` as EFA has it."""
    works: bool
    """Whether it is active."""
    has_link: bool
    """Whether there is something at the other end; what it works without may be there all the
    same, as a subnet manager is not."""
    is_wanted: bool
    """Whether anybody wants it to work: nobody has disabled it, or the interface that it is of."""
    rate: int
    """Gigabits a second; zero where that is not told."""
    counters: Mapping[str, int]
    refused: frozenset[str]
    """Counters that are there and cannot be read."""

    @property
    def full(self) -> frozenset[str]:
        """Return the counters that stand at all ones: they stay there, whatever happens.

        One beyond that is a wider one that its driver has in place of InfiniBand's.
        """
        counters = self.counters
        return frozenset(name for name, bits in _BITS.items() if counters.get(name) == 2**bits - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One RDMA device of the machine's own."""

    name: str
    """Such as `mlx5_0`."""
    device: str
    """What it is on its bus."""
    driver: str
    """The driver of that, such as `mlx5_core`."""
    ports: tuple[Port, ...]


class Adapters:
    """Reads /sys/class/infiniband.

    Args:
        sysfs: The folder.
    """

    def __init__(self, sysfs: Path) -> None:
        self._sysfs = sysfs
        self._refused: dict[str, frozenset[str]] = {}

    def look(self, refused: Mapping[str, Collection[str]]) -> tuple[Adapter, ...]:
        """Read every adapter but virtual functions beside their physical one: those are a pod's.

        Args:
            refused: By port the counters that an earlier agent found it could not read.
        """
        for port, counters in refused.items():
            self._refused[port] = self._refused.get(port, frozenset()) | frozenset(counters)
        folder = self._sysfs / "class/infiniband"
        every = (folder / each for each in attributes.names(folder) or ())
        return tuple(self._adapter(each) for each in every if interfaces.is_physical(each))

    def _adapter(self, folder: Path) -> Adapter:
        device = folder / "device"
        ports = (folder / "ports" / each for each in attributes.names(folder / "ports") or ())
        found = (self._port(folder, each) for each in ports)
        return Adapter(
            name=folder.name,
            device=interfaces.target(device),
            driver=interfaces.target(device / "driver"),
            ports=tuple(each for each in found if each is not None),
        )

    def _port(self, adapter: Path, folder: Path) -> Port | None:
        state = attributes.text(folder / "state")
        if state is None:
            return None  # gone since it was listed
        name = f"{adapter.name}/{folder.name}"
        layer = attributes.text(folder / "link_layer") or ""
        physical = _word(attributes.text(folder / "phys_state"))
        counters = dict(self._counters(name, folder))
        return Port(
            name=name,
            layer=layer,
            works=_word(state) in _WORKING,
            has_link=physical == "LinkUp",
            is_wanted=_is_up(adapter) if layer == _ETHERNET else physical != "Disabled",
            rate=_rate(attributes.text(folder / "rate") or ""),
            counters=counters,
            refused=self._refused.get(name, frozenset()),
        )

    def _counters(self, port: str, folder: Path) -> Iterator[tuple[str, int]]:
        for group in ("counters", "hw_counters"):
            there = {f"{group}/{each}" for each in attributes.names(folder / group) or ()}
            for name in sorted((there & COUNTERS) - self._refused.get(port, frozenset())):
                try:
                    yield name, int((folder / name).read_text())
                except (OSError, ValueError) as error:
                    if not isinstance(error, OSError) or error.errno not in _GONE:
                        self._refuse(port, name)

    def _refuse(self, port: str, counter: str) -> None:
        """Remember it here: whoever asked may have given up by now."""
        self._refused[port] = self._refused.get(port, frozenset()) | {counter}


def has_driver(sysfs: Path, driver: str) -> bool:
    """Say whether a driver is loaded, for whichever device."""
    return any(
        (sysfs / "bus" / bus / "drivers" / driver).exists()
        for bus in attributes.names(sysfs / "bus") or ()
    )


def is_on_bus(sysfs: Path, device: str) -> bool:
    """Say whether a device is on one of the buses, driven or not."""
    return any(
        (sysfs / "bus" / bus / "devices" / device).exists()
        for bus in attributes.names(sysfs / "bus") or ()
    )


def _is_up(adapter: Path) -> bool:
    """Say whether an interface of the adapter is up; one in a pod's hands is not seen, nor is it.

    An interface comes back from a pod taken down, and its port is down with it.
    """
    folder = adapter / "device/net"
    flags = (attributes.number(folder / each / "flags") for each in attributes.names(folder) or ())
    return any(each is not None and each & _IFF_UP for each in flags)


def _word(told: str | None) -> str:
    """Read `ACTIVE` from `4: ACTIVE`."""
    return (told or "").rpartition(":")[2].strip()


def _rate(told: str) -> int:
    """Read the 400 from `400 Gb/sec (4X NDR)`."""
    number = told.partition(" ")[0]
    try:
        return int(float(number))
    except ValueError:
        return 0
