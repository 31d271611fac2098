"""What hangs in the kernel costs one thread, and nothing waits for it."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.guard import Guard, HungError
from tests.agent.spawning import Spawner

SOON = timedelta(seconds=0.05)
LATER = timedelta(seconds=5)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    """Give a FIFO on whose opening a reader sleeps in the kernel, and let it go in the end."""
    path = tmp_path / "hangs"
    os.mkfifo(path)
    yield path
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def lost(key: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == key]


async def test_what_returns_in_time_is_returned() -> None:
    assert await Guard().call("sum", lambda: 1 + 1, patience=LATER) == 2


async def test_what_is_raised_is_raised() -> None:
    with pytest.raises(FileNotFoundError):
        await Guard().call("read", Path("/nowhere").read_bytes, patience=LATER)


async def test_a_timeout_of_the_kernel_is_no_hang() -> None:
    def time_out() -> None:
        raise OSError(errno.ETIMEDOUT, "Connection timed out")

    with pytest.raises(TimeoutError, match="Connection timed out"):
        await Guard().call("nfs", time_out, patience=LATER)


async def test_a_call_that_hangs_is_given_up_and_never_made_twice(fifo: Path) -> None:
    guard = Guard()

    for _ in range(5):
        with pytest.raises(HungError, match="fifo does not return"):
            await guard.call("fifo", fifo.read_bytes, patience=SOON)

    assert len(lost("fifo")) == 1
    await released(fifo)


async def test_a_call_that_hangs_holds_up_no_other(fifo: Path) -> None:
    guard = Guard()
    hung = asyncio.ensure_future(guard.call("fifo", fifo.read_bytes, patience=SOON))

    other = await guard.call("other", lambda: "answer", patience=LATER)

    assert other == "answer"
    with pytest.raises(HungError):
        await hung
    await released(fifo)


async def test_two_who_ask_the_same_at_once_are_both_answered() -> None:
    guard = Guard()

    answers = await asyncio.gather(
        *(guard.call("uptime", lambda: "answer", patience=LATER) for _ in range(5))
    )

    assert answers == ["answer"] * 5


async def test_one_who_waits_for_another_has_patience_of_its_own(fifo: Path) -> None:
    guard = Guard()
    patient = asyncio.ensure_future(guard.call("fifo", fifo.read_bytes, patience=LATER))
    await asyncio.sleep(0)

    with pytest.raises(HungError, match="fifo does not return"):
        await guard.call("fifo", fifo.read_bytes, patience=SOON)

    await released(fifo)
    assert await patient == b""


async def test_when_it_has_returned_it_is_called_again(fifo: Path) -> None:
    guard = Guard()
    with pytest.raises(HungError):
        await guard.call("fifo", fifo.read_bytes, patience=SOON)
    await released(fifo)

    assert await guard.call("fifo", lambda: "again", patience=LATER) == "again"


async def test_one_who_asks_again_is_answered_as_soon_as_the_lost_call_returns(fifo: Path) -> None:
    guard = Guard()
    with pytest.raises(HungError):
        await guard.call("fifo", fifo.read_bytes, patience=SOON)
    again = asyncio.ensure_future(guard.call("fifo", lambda: "again", patience=LATER))
    await asyncio.sleep(0.05)

    await released(fifo)

    assert await again == "again"


async def test_what_hangs_says_for_how_long(fifo: Path) -> None:
    guard = Guard()
    lasted = []
    for _ in range(3):
        with pytest.raises(HungError) as hung:
            await guard.call("fifo", fifo.read_bytes, patience=SOON)
        lasted.append(hung.value.lasted)

    assert [span >= n * SOON for n, span in enumerate(lasted, 1)] == [True] * 3
    assert lasted[-1] < LATER
    await released(fifo)


async def test_a_call_for_which_there_was_no_thread_does_not_hang() -> None:
    guard = Guard(Spawner(refused=1))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await guard.call("write", lambda: "first", patience=SOON)

    assert await guard.call("write", lambda: "second", patience=SOON) == "second"


def test_a_process_ends_though_a_call_hangs(fifo: Path) -> None:
    program = f"""
import asyncio, pathlib
from datetime import timedelta
from agent.host.guard import Guard, HungError

async def main():
    try:
        await Guard().call("fifo", pathlib.Path({str(fifo)!r}).read_bytes,
                           patience=timedelta(seconds=0.05))
    except HungError as hung:
        print(hung)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )

    assert ended.stdout == "fifo does not return\n"


async def released(fifo: Path) -> None:
    """Let the lost thread go on, and wait until it has ended."""
    writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    os.close(writer)
    for thread in lost("fifo"):
        await asyncio.to_thread(thread.join)
