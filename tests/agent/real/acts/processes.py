"""A process that nothing can end, many that nobody asks for, and a service that begins anew."""

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.linux import Host
from agent.probes.processes import RESTARTS, STUCK, ZOMBIES, Processes
from tests.agent.real.telling import tell
from tests.agent.watched import Watch

LONG: Final = 30
"""In how many looks in a row, 10 ms apart, a process sleeps that nothing can end."""
MANY: Final = 400
"""Zombies: more than one step of the grid, and less than two."""
SPAWN: Final = (  # whoever spawns sleeps until the child has left its memory, as this one does not
    "import os, sys\n"
    "actions = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]\n"
    "os.posix_spawn('/bin/true', ['true'], {}, file_actions=actions)\n"
)


def until(holds: Callable[[], bool]) -> None:
    """Wait for another process."""
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)  # noqa: TID251 - another process has no event


@contextmanager
def stuck(folder: Path) -> Iterator[None]:
    """Have a process asleep where no signal reaches it."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    sleeper = subprocess.Popen([sys.executable, "-c", SPAWN, fifo])
    asleep = 0

    def lasts() -> bool:  # while it starts, its disk lets it sleep like that for a moment, too
        nonlocal asleep
        state = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "D" else 0
        return asleep >= LONG

    until(lasts)
    yield
    os.close(os.open(fifo, os.O_WRONLY))
    sleeper.wait()
    fifo.unlink()


@contextmanager
def zombies() -> Iterator[None]:
    """Have many processes that have ended and that nobody asked how."""
    children = []
    for _ in range(MANY):
        child = os.fork()
        if not child:
            os._exit(0)
        children.append(child)
    for each in children:
        os.waitid(os.P_PID, each, os.WEXITED | os.WNOWAIT)
    yield
    for each in children:
        os.waitpid(each, 0)


@contextmanager
def kubelet(folder: Path) -> Iterator[None]:
    """Have a child of process 1 that is called so."""
    program = folder / "kubelet"
    if not program.exists():
        shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as service:
        until(lambda: Path(f"/proc/{service.pid}/comm").read_text() == "kubelet\n")
        yield
        service.kill()


async def play(folder: Path) -> list[object]:
    """Look before, while each thing is wrong, and after it."""
    up, minutes = folder / "uptime", itertools.count(1)
    watch = Watch(Processes(looks=1, patience=timedelta()), Host(uptime=up))

    async def look() -> list[object]:
        up.write_text(f"{next(minutes) * 60}.0 0.0")
        told = await watch.look()
        again = watch.events.get((RESTARTS, "kubelet"), 0)
        return [told[STUCK, ""], told[ZOMBIES, ""], again]

    with kubelet(folder):
        seen = [await look()]
        with stuck(folder):
            seen.append(await look())
        seen.append(await look())
        with zombies():
            seen.append(await look())
        seen.append(await look())
    await asyncio.sleep(0.05)  # starts are told apart by hundredths of a second
    with kubelet(folder):
        seen.append(await look())
        return [*seen, await look()]


tell(asyncio.run(play(Path(sys.argv[1]))))
