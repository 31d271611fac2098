"""Programs of the host: how they end, and that one that hangs is left."""

import asyncio
import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host import commands
from agent.host.commands import Ended, Left
from tests.agent.leases import leased

LONG = timedelta(seconds=60)
SHORT = timedelta(seconds=0.2)
AT_ONCE = timedelta()


@pytest.fixture
def left() -> Iterator[list[int]]:
    """Collect processes that a test leaves on purpose, and end them."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


@pytest.fixture
def sick(tmp_path: Path) -> Iterator[Path]:
    """Give a program on a disk that does not answer until the test ends."""
    path = tmp_path / "sick"
    shutil.copy(shutil.which("true") or "/bin/true", path)
    with leased(path):
        yield path
    for thread in threading.enumerate():
        if thread.name.startswith("start of "):
            thread.join()


async def sh(script: str, patience: timedelta = LONG) -> Ended | Left:
    return await commands.run(["sh", "-c", script], environ=os.environ, patience=patience)


async def test_what_a_program_says_both_ways_and_how_it_ends_is_told() -> None:
    ended = await sh("echo one; echo two >&2; exit 3")

    assert ended == Ended(code=3, output="one\ntwo")


async def test_a_program_ended_by_a_signal_tells_which() -> None:
    assert await sh("kill -9 $$") == Ended(code=-9)


async def test_a_program_that_is_not_there_has_ended_badly() -> None:
    ended = await commands.run(["/absent/nvidia-smi"], environ=os.environ, patience=LONG)

    assert ended == Ended(code=127, output="/absent/nvidia-smi: No such file or directory")


async def test_a_program_speaks_the_language_that_we_understand() -> None:
    assert await sh('echo "$LC_ALL"') == Ended(code=0, output="C")


async def test_a_program_that_does_not_end_is_left_alive(left: list[int]) -> None:
    found = await sh("exec sleep 1000", timedelta(seconds=1))

    assert isinstance(found, Left)
    left.append(found.pid)
    os.kill(found.pid, 0)
    assert found.state in ("R", "S")


async def test_a_program_is_not_ended_by_our_terminals_ctrl_c(left: list[int]) -> None:
    running = await commands.start(["sleep", "1000"], os.environ, LONG)
    left.append(running.pid)

    assert os.getsid(running.pid) == running.pid
    assert isinstance(await running.end(AT_ONCE), Left)


async def test_a_program_is_given_its_time_when_we_are_ended(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    task = asyncio.create_task(
        commands.run(
            ["sh", "-c", f"read line < {gate}; touch {tmp_path}/done"],
            environ=os.environ,
            patience=LONG,
            grace=LONG,
        )
    )
    opened = await asyncio.to_thread(os.open, gate, os.O_WRONLY)  # returns once it reads

    task.cancel()
    os.write(opened, b"go\n")
    os.close(opened)
    await asyncio.wait([task])

    assert task.cancelled()
    assert (tmp_path / "done").exists()


async def test_a_program_is_given_its_time_when_we_are_ended_while_it_starts(
    tmp_path: Path,
) -> None:
    task = asyncio.create_task(
        commands.run(
            ["sh", "-c", f"sleep 0.1; touch {tmp_path}/done"],
            environ=os.environ,
            patience=LONG,
            grace=LONG,
        )
    )
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert (tmp_path / "done").exists()


async def test_a_program_whose_disk_does_not_answer_is_waited_for_no_longer_than_another(
    sick: Path,
) -> None:
    async with asyncio.timeout(10):
        ended = await commands.run([str(sick)], environ=os.environ, patience=SHORT)

    assert ended == Ended(code=127, output=f"{sick}: has not started within 200ms, and may yet")


async def test_who_is_ended_while_a_sick_disk_holds_up_a_program_ends(sick: Path) -> None:
    task = asyncio.create_task(
        commands.run([str(sick)], environ=os.environ, patience=LONG, grace=SHORT)
    )
    await asyncio.sleep(0.2)

    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([task])

    assert task.cancelled()
