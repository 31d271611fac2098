"""Whether the kernel finds a neighbour: by /proc/net/arp, and for IPv6 by rtnetlink(7).

It forgets the hardware address of one that did not answer several times in a row.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, TypeAlias

from agent.host import attributes

Neighbour: TypeAlias = IPv4Address | IPv6Address

_RESOLVED: Final = 0x2
"""ATF_COM: the kernel has a hardware address, and nothing yet that speaks against it."""
_VALID: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""The same in rtnetlink: reachable, stale, delay, probe, permanent."""
_NOARP: Final = 0x40
"""Where nobody asks for a hardware address there is no account to keep; /proc/net/arp omits it."""

_HEADER: Final = struct.Struct("=IHHII")
"""Length, type, flags, number, port."""
_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
"""Family, interface, state, flags, type."""
_ATTRIBUTE: Final = struct.Struct("=HH")
"""Length, type."""
_GET, _NEW, _FAILED, _DONE = 30, 28, 2, 3
_ALL: Final = 0x1 | 0x300
"""A request for all that there is."""
_DESTINATION: Final = 1
_AT_ONCE: Final = 64 * 1024
"""Bytes: the kernel makes no message larger than half of it."""
_PATIENCE: Final = 2.0
"""Seconds; the kernel answers at once."""


def answers(network: Path, neighbour: Neighbour) -> bool | None:
    """Say whether the kernel knows a neighbour's hardware address; None where it keeps no entry.

    Args:
        network: The folder such as /proc/net, of the network namespace that is asked about. Of
            IPv6 the agent's own is.
        neighbour: One that is only unique on its link has the name of an interface behind a `%`.

    Raises:
        OSError: the kernel does not tell.
    """
    if isinstance(neighbour, IPv6Address):
        states = [state for state, address in _neighbours() if address == neighbour]
        return any(each & _VALID for each in states) if states else None
    rows = (line.split() for line in (attributes.text(network / "arp") or "").splitlines()[1:])
    flags = [int(row[2], 16) for row in rows if row[0] == str(neighbour)]
    return any(each & _RESOLVED for each in flags) if flags else None


def _neighbours() -> Iterator[tuple[int, IPv6Address]]:
    """Ask for the neighbours in IPv6 that the kernel keeps an entry of, and how each stands."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_PATIENCE)
        question = _NEIGHBOUR.pack(socket.AF_INET6, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(question), _GET, _ALL, 1, 0) + question)
        while True:
            for kind, message in _messages(kernel.recv(_AT_ONCE)):
                if kind == _DONE:
                    return
                if kind == _FAILED:
                    code = -struct.unpack_from("=i", message)[0]
                    raise OSError(code, "rtnetlink does not tell of neighbours")
                if kind == _NEW:
                    yield from _neighbour(message)


def _messages(told: bytes) -> Iterator[tuple[int, bytes]]:
    while len(told) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(told)
        yield kind, told[_HEADER.size : length]
        told = told[_aligned(max(length, _HEADER.size)) :]


def _neighbour(message: bytes) -> Iterator[tuple[int, IPv6Address]]:
    _, index, state, _, _ = _NEIGHBOUR.unpack_from(message)
    rest = message[_NEIGHBOUR.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if kind == _DESTINATION and not state & _NOARP:
            yield state, _scope(IPv6Address(rest[_ATTRIBUTE.size : length]), index)
        rest = rest[_aligned(max(length, _ATTRIBUTE.size)) :]


def scoped(address: IPv6Address, interface: str) -> IPv6Address:
    """Say on which link a neighbour is, where its address alone does not."""
    return IPv6Address(f"{address}%{interface}") if address.is_link_local else address


def _scope(address: IPv6Address, index: int) -> IPv6Address:
    """Do so by the number of the interface; one that is gone meanwhile leaves it as it is."""
    try:
        return scoped(address, socket.if_indextoname(index))
    except OSError:
        return address


def _aligned(length: int) -> int:
    return (length + 3) & ~3
