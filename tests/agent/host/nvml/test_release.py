"""The file that asks the agent to close NVML: who holds it, and that nothing is left of it."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.host.nvml import bus, release
from simulator.virtualtime import played
from tests.agent.leases import leased

KILLED = """
import asyncio, sys
from pathlib import Path
from agent.host.nvml import release

async def main():
    async with release.held(Path(sys.argv[1]), "the first"):
        print(flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


def wishes(root: Path) -> str:
    try:
        return (root / release.RELEASE).read_text()
    except FileNotFoundError:
        return ""


@played
async def test_it_is_there_while_it_is_held_and_gone_after(tmp_path: Path) -> None:
    async with release.held(tmp_path, "a reset"):
        assert wishes(tmp_path) == "a reset\n"

    assert wishes(tmp_path) == ""


async def test_who_is_ended_while_taking_it_leaves_nothing_of_it(tmp_path: Path) -> None:
    async def hold() -> None:
        async with release.held(tmp_path, "a reset"):
            pass

    path = tmp_path / release.RELEASE
    path.parent.mkdir(parents=True)
    path.touch()
    with leased(path):
        holding = asyncio.create_task(hold())
        await asyncio.sleep(0.2)  # by now it waits for the file
        holding.cancel()
        await asyncio.sleep(0.1)
    await asyncio.wait([holding])
    await asyncio.get_running_loop().shutdown_default_executor()

    assert (holding.cancelled(), path.exists()) == (True, False)


@played
async def test_it_is_gone_whatever_went_wrong(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with release.held(tmp_path, "a reset"):
            raise ZeroDivisionError

    assert wishes(tmp_path) == ""


@played
async def test_it_is_touched_long_before_it_expires(tmp_path: Path) -> None:
    async with release.held(tmp_path, "a reset"):
        os.utime(tmp_path / release.RELEASE, (0, 0))
        await asyncio.sleep(release.EXPIRY.total_seconds() / 2)

        assert (tmp_path / release.RELEASE).stat().st_mtime > 0


@played
async def test_nobody_else_holds_it_meanwhile(tmp_path: Path) -> None:
    async with release.held(tmp_path, "the first"):
        with pytest.raises(release.HeldError, match="the first"):
            async with release.held(tmp_path, "the second"):
                pass

        assert wishes(tmp_path) == "the first\n"


@played
async def test_the_agent_sees_it(tmp_path: Path) -> None:
    async with release.held(tmp_path, "a reset"):
        seen = await asyncio.to_thread(bus.glance, tmp_path, ())

    assert seen.released_at is not None


def test_who_was_killed_holds_it_no_more_though_the_file_is_still_there(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    left = wishes(tmp_path)

    @played
    async def second() -> str:
        async with release.held(tmp_path, "the second"):
            return wishes(tmp_path)

    assert (left, second()) == ("the first\n", "the second\n")
