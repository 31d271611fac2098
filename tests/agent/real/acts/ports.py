"""Few local ports, all of them taken and given back."""

import asyncio
import contextlib
import socket
from pathlib import Path

from agent.host.linux import Host
from agent.probes.connections import PORTS, Connections
from tests.agent.real.telling import tell
from tests.agent.watched import Watch


async def play() -> list[float | str | None]:
    """Look with no port taken, with all, and with none again."""
    watch = Watch(Connections(), Host())
    seen = [(await watch.look())[PORTS, ""]]
    with contextlib.ExitStack() as taken:
        for _ in range(19):
            listening = taken.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            listening.listen()
        seen.append((await watch.look())[PORTS, ""])
    return [*seen, (await watch.look())[PORTS, ""]]


Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40019")
tell(asyncio.run(play()))
