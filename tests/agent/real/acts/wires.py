"""A real interface whose packets, speed and duplex change, seen as if it had hardware."""

import array
import asyncio
import fcntl
import os
import socket
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Final

from agent.probes.ethernet import MTU, SLOW, Ethernet
from tests.agent.real.telling import lack, tell
from tests.agent.trees import Tree
from tests.agent.watched import Watch

NAME: Final = "wire0"
TUNSETIFF: Final = 0x400454CA
SIOCETHTOOL: Final = 0x8946
ETHTOOL_SSET: Final = 2
TAP: Final = 0x1002
"""A whole interface, without a header of its own before each packet."""


def plug() -> int:
    """Make an interface, which has a link for as long as somebody holds it."""
    try:
        held = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(held, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), TAP))
    except OSError as refusal:
        lack(f"a kernel with /dev/net/tun: {refusal.strerror}")
    subprocess.run(["ip", "link", "set", NAME, "up"], check=True)
    return held


def become(speed: int, duplex: int = 1) -> None:
    """Let the driver say that it is so fast, both ways at once or not."""
    said = struct.pack("=IIIHBBBBBBIIHBBIII", ETHTOOL_SSET, 0, 0, speed, duplex, *[0] * 13)
    told = array.array("B", said)
    with socket.socket() as door:
        where, _ = told.buffer_info()
        fcntl.ioctl(door, SIOCETHTOOL, struct.pack("16sP16x", NAME.encode(), where))


def mtu(size: int) -> None:
    """Let its packets be so large."""
    subprocess.run(["ip", "link", "set", NAME, "mtu", f"{size}"], check=True)


def seen_in(root: Path) -> Tree:
    """Make a machine that has the interface as one with hardware: all else, this kernel says."""
    folder = root / "sys/class/net" / NAME
    (folder / "device").mkdir(parents=True)
    for file in ("flags", "carrier", "speed", "duplex", "mtu"):
        (folder / file).symlink_to(f"/sys/class/net/{NAME}/{file}")
    return Tree(root=root)


async def play(root: Path) -> list[list[object]]:
    """Change one thing after the other, there and back, and look after each."""
    watch, seen = Watch(Ethernet(), seen_in(root).host), list[list[object]]()
    for change in (
        partial(become, 10_000),
        partial(become, 1000),
        partial(become, 10_000),
        partial(become, 10_000, duplex=0),
        partial(become, 10_000),
        partial(mtu, 1400),
        partial(mtu, 1500),
    ):
        change()
        told = await watch.look()
        seen.append([told[SLOW, NAME], told[MTU, NAME]])
    return seen


subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], check=True)
held = plug()
tell(asyncio.run(play(Path(sys.argv[1]))))
os.close(held)
