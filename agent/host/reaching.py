"""Whether another machine answers over the network."""

import asyncio
import contextlib
import errno
import socket
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from agent.host import ours
from agent.host.neighbours import Neighbour

_DISCARD: Final = 9
"""The port whose service throws away what it gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A port of another machine, by address: a name would ask after the name server, too."""

    address: str
    port: int


def peer(text: str) -> Peer:
    """Read `ADDRESS:PORT`, or `[ADDRESS]:PORT` for IPv6.

    Raises:
        ValueError: the text is neither.
    """
    written, _, port = text.rpartition(":")
    bare = written.removeprefix("[").removesuffix("]")
    with contextlib.suppress(ValueError):
        version, number = ip_address(bare).version, int(port)
        if 0 < number < 2**16 and (version == 6) == (written != bare):
            return Peer(address=bare, port=number)
    raise ValueError(f"expected peers such as 10.0.0.1:443 or [fd00::1]:443, got {text!r}")


async def connect(to: Peer, patience: timedelta) -> float | None:
    """Connect once; return the seconds until it answered, or None if it did not.

    Who refuses the connection is there, and the network in between works.

    Raises:
        OSError: it could not be tried, for want of something on this machine.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(patience.total_seconds()):
            _, writer = await asyncio.open_connection(to.address, to.port)
    except ConnectionRefusedError:
        return loop.time() - began
    except OSError as error:  # a TimeoutError is one
        if ours.is_ours(error):
            raise
        return None
    took = loop.time() - began
    writer.transport.abort()
    return took


def touch(neighbour: Neighbour) -> None:
    """Make the kernel use its entry of a neighbour, by a datagram that is empty and unanswered.

    Raises:
        OSError: it could not be sent, for want of something on this machine.
    """
    is_new = isinstance(neighbour, IPv6Address)
    family = socket.AF_INET6 if is_new else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # noqa: FBT003 - the socket's own way to say it
            (*_, where), *_ = socket.getaddrinfo(
                str(neighbour), _DISCARD, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
            )
            sender.sendto(b"", where)
    except OSError as error:
        # what is not available for a datagram is no port but an address to send it from
        if ours.is_ours(error) and error.errno != errno.EADDRNOTAVAIL:
            raise
