"""A name server on the port of name servers, stopped and continued."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

from agent.host.linux import Host
from agent.probes.dns import DNS, FAILING
from tests.agent.real.telling import tell
from tests.agent.watched import Watch

HERE = "127.0.0.1"


def serve() -> None:
    """Answer every question, and say first that one may ask."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((HERE, 53))
        tell("listening")
        while True:
            question, who = listening.recvfrom(512)
            listening.sendto(question[:2] + b"\x81\x80" + question[4:], who)


async def play(server: int) -> list[object]:
    """Look at a server that answers, one that is stopped, and one that goes on."""
    probe = DNS(name="example.com", servers=(HERE,), patience=timedelta(seconds=0.3))
    watch = Watch(probe, Host())
    seen = [(await watch.look())[FAILING, HERE]]
    for each in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(server, each)
        seen.append((await watch.look())[FAILING, HERE])
    return list(seen)


def main() -> None:
    """Start a server of our own and play."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    words = [sys.executable, "-m", "tests.agent.real.acts.names", "serve"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        tell(asyncio.run(play(server.pid)))
        server.kill()


serve() if "serve" in sys.argv else main()
