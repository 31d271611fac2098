"""Which ways to everywhere the machine knows."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from agent.host import attributes, neighbours
from agent.host.neighbours import Neighbour

_UP: Final = 0x1
_GATEWAY: Final = 0x2
_REJECT: Final = 0x200


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to everywhere."""

    interface: str
    gateway: Neighbour | None = None
    """The first hop; None where there is none."""


def defaults(network: Path) -> tuple[Route, ...] | None:
    """Read the default routes of IPv4 and IPv6, or return None where the kernel tells neither.

    Args:
        network: The folder such as /proc/net, of the network namespace that is asked about.
    """
    tables = attributes.text(network / "route"), attributes.text(network / "ipv6_route")
    if tables == (None, None):
        return None
    return *_defaults_4(tables[0] or ""), *_defaults_6(tables[1] or "")


def _defaults_4(table: str) -> Iterator[Route]:
    """Read the columns interface, destination, gateway, flags, …, the mask the eighth of them."""
    for row in (line.split() for line in table.splitlines()[1:]):
        if int(row[1], 16) == int(row[7], 16) == 0 and _is_usable(row[3]):
            has_gateway = int(row[3], 16) & _GATEWAY
            yield Route(interface=row[0], gateway=_address(row[2]) if has_gateway else None)


def _defaults_6(table: str) -> Iterator[Route]:
    """Read the columns destination and length, the first hop as the fifth, flags and interface."""
    for row in (line.split() for line in table.splitlines()):
        if int(row[0], 16) == int(row[1], 16) == 0 and _is_usable(row[8]):
            hop = neighbours.scoped(IPv6Address(bytes.fromhex(row[4])), row[9])
            yield Route(interface=row[9], gateway=hop if int(row[8], 16) & _GATEWAY else None)


def _address(written: str) -> IPv4Address:
    """Read an address in the machine's own order of bytes."""
    return IPv4Address(int(written, 16).to_bytes(4, sys.byteorder))


def _is_usable(flags: str) -> bool:
    return int(flags, 16) & (_UP | _REJECT) == _UP
