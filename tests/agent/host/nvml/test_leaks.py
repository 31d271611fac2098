"""A day of a driver that hangs again and again leaves nothing behind."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.nvml.facts import Standing
from agent.host.nvml.settings import Nvml
from simulator.driver.frozen import FrozenError
from tests.agent.host.nvml.stands import PATIENCE, Stand, is_alive, standing
from tests.lacking import lacking

DAY: Final = 24 * 3600
HANGS: Final = 24
MOST_KIB: Final = 2048
"""What the memory of the test's own process may grow by, which includes what pytest keeps."""


def children() -> set[str]:
    """Return the processes that this one has, those that are no more than zombies included."""
    mine = str(os.getpid())
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[1] == mine:
            found.add(folder.name)
    return found


def resident() -> int:
    """Return the memory of this process in KiB."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "RssAnon" in line))


def held() -> tuple[int, int, int]:
    """Return how many processes, threads and files this process holds."""
    return len(children()), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


async def hang(stand: Stand) -> None:
    """Have a GPU hang, its worker abandoned, and its call returned."""
    try:
        await stand.driver.block(1, uninterruptible=True)
    except FrozenError as missing:
        lacking(str(missing))
    stand.time.seconds += 300
    await stand.overruns(1)
    await stand.settled()
    assert stand.standings() == [Standing.ANSWERS, Standing.HUNG]
    await stand.driver.unblock()
    await stand.until(lambda: not stand.supervisor.custody.lost)


async def test_a_day_of_hangs_leaks_no_process_thread_file_or_memory(
    tmp_path: Path, cache: Path
) -> None:
    settings = Nvml(interval=timedelta(minutes=5), links=timedelta(minutes=10))
    async with standing(tmp_path, cache, gpus=2, settings=settings) as stand:
        await stand.settled()
        for _ in range(4):
            await hang(stand)
            await stand.passes(3300)
        before, memory = held(), resident()

        while stand.counts.abandoned < 4 + HANGS:
            await hang(stand)
            while stand.time.seconds < stand.counts.abandoned * DAY / HANGS:
                await stand.passes(300)

        assert stand.time.seconds >= DAY
        assert stand.counts.killed == 0
        assert stand.standings() == [Standing.ANSWERS] * 2
        assert held() == before
        assert resident() - memory < MOST_KIB


async def test_an_agent_that_is_killed_leaves_no_worker(tmp_path: Path, cache: Path) -> None:
    async with standing(tmp_path, cache, gpus=2) as stand:
        program = f"""
import asyncio, sys
from pathlib import Path
from agent import main
from agent.settings import Settings
from agent.host.nvml.settings import Nvml
from nodehealth.kit import clocks

async def watch():
    nvml = main.watch(Settings(root=Path({str(stand.root)!r})), clock=clocks.wall)
    running = asyncio.create_task(nvml.run())
    while not any(card.answers for card in nvml.gpus().cards):
        await asyncio.sleep(0.01)
    print(nvml.custody.task[0], flush=True)
    await running

asyncio.run(watch())
"""
        environ = {**os.environ, **(await stand.driver.environ())}
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=subprocess.PIPE, env=environ
        )
        assert agent.stdout is not None
        async with asyncio.timeout(PATIENCE):
            worker = int(await agent.stdout.readline())
        assert is_alive(worker)

        agent.send_signal(signal.SIGKILL)
        await agent.wait()

        async with asyncio.timeout(PATIENCE):
            while is_alive(worker):  # noqa: ASYNC110 - nothing tells of another's child
                await asyncio.sleep(0.01)
