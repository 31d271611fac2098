"""Which ways to everywhere the machine knows, and whether the first hop of them answers."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from agent.host import attributes

_UP: Final = 0x1
_GATEWAY: Final = 0x2
_REJECT: Final = 0x200
_RESOLVED: Final = 0x2
"""ATF_COM: the kernel has a hardware address, and nothing yet that speaks against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to everywhere."""

    interface: str
    gateway: IPv4Address | None = None
    """The first hop; None where there is none, and for IPv6."""


def defaults(network: Path) -> tuple[Route, ...] | None:
    """Read the default routes of IPv4 and IPv6, or return None where the kernel tells neither.

    Args:
        network: The folder such as /proc/net, of the network namespace that is asked about.
    """
    tables = attributes.text(network / "route"), attributes.text(network / "ipv6_route")
    if tables == (None, None):
        return None
    return *_defaults_4(tables[0] or ""), *_defaults_6(tables[1] or "")


def neighbour(network: Path, address: IPv4Address) -> bool | None:
    """Say whether the kernel knows a neighbour's hardware address; None where it keeps no entry.

    It forgets the address of one that did not answer several times in a row.
    """
    rows = (line.split() for line in (attributes.text(network / "arp") or "").splitlines()[1:])
    flags = [int(row[2], 16) for row in rows if row[0] == str(address)]
    return any(each & _RESOLVED for each in flags) if flags else None


def _defaults_4(table: str) -> Iterator[Route]:
    """Read the columns interface, destination, gateway, flags, …, the mask the eighth of them."""
    for row in (line.split() for line in table.splitlines()[1:]):
        if int(row[1], 16) == int(row[7], 16) == 0 and _is_usable(row[3]):
            has_gateway = int(row[3], 16) & _GATEWAY
            yield Route(interface=row[0], gateway=_address(row[2]) if has_gateway else None)


def _defaults_6(table: str) -> Iterator[Route]:
    """Read the columns destination, its length, …, the flags the ninth of them, the interface."""
    for row in (line.split() for line in table.splitlines()):
        if int(row[0], 16) == int(row[1], 16) == 0 and _is_usable(row[8]):
            yield Route(interface=row[9])


def _address(written: str) -> IPv4Address:
    """Read an address in the machine's own order of bytes."""
    return IPv4Address(int(written, 16).to_bytes(4, sys.byteorder))


def _is_usable(flags: str) -> bool:
    return int(flags, 16) & (_UP | _REJECT) == _UP
