"""A worker is started when there is a thread for it, and what is said to it reaches it whole."""

import asyncio
import subprocess
import sys

import pytest

from agent.host.nvml.process import Line, Starter, Worker
from tests.agent.spawning import Spawner

LISTENER = """
import json, sys, time
time.sleep(0.1)
for line in sys.stdin:
    print(json.dumps({"heard": len(json.loads(line)["text"])}), flush=True)
"""


async def test_a_line_that_is_longer_than_the_pipe_is_heard_whole_and_so_is_the_next() -> None:
    heard: asyncio.Queue[Line] = asyncio.Queue()
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", LISTENER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    worker = Worker(process, heard.put_nowait, lambda: None)
    try:
        worker.ask({"text": "x" * 300_000})
        worker.ask({"text": "y"})

        async with asyncio.timeout(20):
            assert [(await heard.get())["heard"] for _ in range(2)] == [300_000, 1]
    finally:
        worker.abandon()
        await asyncio.to_thread(process.wait)


async def test_a_worker_for_which_there_was_no_thread_is_started_the_next_time() -> None:
    starter = Starter(spawn=Spawner(refused=1))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await starter.start("")

    async with asyncio.timeout(20):
        process = await starter.start("")

    starter.close()
    process.kill()
    await asyncio.to_thread(process.communicate)
    assert process.returncode == -9


async def test_a_start_that_goes_wrong_in_whatever_way_is_told_and_hinders_no_other() -> None:
    def refuse() -> str:
        raise MemoryError

    starter = Starter(oom=refuse)
    for _ in range(2):
        with pytest.raises(MemoryError):
            async with asyncio.timeout(20):
                await starter.start("")

    starter.close()
