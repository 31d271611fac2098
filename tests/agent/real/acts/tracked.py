"""Connections that the kernel tracks, in a table that is said to be small: all of it is taken."""

import asyncio
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

from agent.probes.connections import CONNTRACK, Connections
from tests.agent.real.telling import lack, tell
from tests.agent.trees import Tree
from tests.agent.watched import Watch

COUNT: Final = "proc/sys/net/netfilter/nf_conntrack_count"
ROOM: Final = 20
NETFILTER: Final = 12
"""The protocol of netlink by which one speaks to it."""
NEW, DELETE = 0x100, 0x102
MAKE: Final = 0x605
"""A request for something new, which is to be answered."""
ASK: Final = 0x5
NESTED: Final = 0x8000
UDP: Final = 17


def attribute(kind: int, *content: bytes) -> bytes:
    """Write an attribute, padded as netlink has it."""
    body = b"".join(content)
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def tuple_of(kind: int, ports: tuple[int, int]) -> bytes:
    """Write one direction of a connection from this machine to itself."""
    here = socket.inet_aton("127.0.0.1")
    addresses = attribute(NESTED | 1, attribute(1, here), attribute(2, here))
    numbers = [attribute(at, struct.pack("!H", port)) for at, port in enumerate(ports, 2)]
    protocol = attribute(NESTED | 2, attribute(1, bytes([UDP])), *numbers)
    return attribute(NESTED | kind, addresses, protocol)


def ask(kind: int, flags: int, body: bytes = b"") -> None:
    """Ask the kernel to track something, or nothing any more."""
    family = struct.pack("=BBH", socket.AF_INET, 0, 0)
    whole = struct.pack("=IHHII", 20 + len(body), kind, flags, 1, 0) + family + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as door:
        door.send(whole)
        (refused,) = struct.unpack_from("=16xi", door.recv(4096))
    if refused:
        lack(f"connections that can be told to the kernel: {os.strerror(-refused)}")


def track(number: int) -> None:
    """Let the kernel track a connection."""
    there, back = (4000 + number, 53), (53, 4000 + number)
    timeout = attribute(7, struct.pack("!I", 600))
    ask(NEW, MAKE, tuple_of(1, there) + tuple_of(2, back) + timeout)


async def play(tree: Tree) -> list[object]:
    """Look at an empty table, a full one, and one that was emptied."""
    watch, seen = Watch(Connections(), tree.host), list[object]()
    seen.append((await watch.look())[CONNTRACK, ""])
    for number in range(ROOM):
        track(number)
    seen.append((await watch.look())[CONNTRACK, ""])
    ask(DELETE, ASK)
    return [*seen, (await watch.look())[CONNTRACK, ""]]


tree = Tree(root=Path(sys.argv[1]))
tree.write("proc/sys/net/netfilter/nf_conntrack_max", ROOM)
if not Path("/", COUNT).exists():
    lack("a kernel that tracks connections")
(tree.root / COUNT).symlink_to(Path("/", COUNT))
tell(asyncio.run(play(tree)))
