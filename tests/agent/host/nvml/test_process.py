"""What is said to a worker reaches it whole, however much it is."""

import asyncio
import subprocess
import sys

from agent.host.nvml.process import Line, Worker

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
