"""A peer in another network: its cable is cut and mended."""

import asyncio
import subprocess
from datetime import timedelta

from agent.host.linux import Host
from agent.probes.reachability import LATENCY, LOSS, Reachability
from tests.agent.real.telling import tell
from tests.agent.watched import Watch

PEER = "192.0.2.2:443"


def ip(*words: str) -> None:
    """Change the network."""
    subprocess.run(["ip", *words], check=True)


def link() -> None:
    """Make a network for the peer, and a cable to it."""
    ip("link", "add", "inside", "type", "veth", "peer", "name", "outside")
    ip("netns", "add", "peer")
    ip("link", "set", "outside", "netns", "peer")
    ip("-n", "peer", "addr", "add", "192.0.2.2/24", "dev", "outside")
    ip("-n", "peer", "link", "set", "outside", "up")
    ip("addr", "add", "192.0.2.1/24", "dev", "inside")
    ip("link", "set", "inside", "up")


async def play() -> list[object]:
    """Look at a peer that is there, one that is cut off, and one that is back."""
    pause, patience = timedelta(seconds=0.1), timedelta(seconds=1)
    probe = Reachability(gateway=False, peers=(PEER,), tries=2, pause=pause, patience=patience)
    watch, seen = Watch(probe, Host()), list[object]()
    for state in ("up", "down", "up"):
        ip("-n", "peer", "link", "set", "outside", state)
        await watch.look()  # until the kernel has found the cable as it is
        told = await watch.look()
        seen.append([told[LOSS, PEER], told[LATENCY, PEER]])
    return seen


link()
tell(asyncio.run(play()))
