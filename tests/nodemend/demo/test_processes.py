"""The demo's programs: followed while they run, and gone when they are told to go."""

import asyncio
import sys
from pathlib import Path

from nodemend.demo.processes import Program, leash

SAYS = "import sys, time; print('ALERT one'); print('else'); print('ALERT two', flush=True); "


def program(log: Path, code: str) -> Program:
    return Program("the program", [sys.executable, "-c", code], log=log)


async def test_only_lines_that_begin_as_asked_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    heard = asyncio.Event()

    def hear(line: str) -> None:
        told.append(line)
        if len(told) == 2:
            heard.set()

    started = program(tmp_path / "log", SAYS + "sys.stdin.read()")
    following = asyncio.create_task(started.follow("ALERT ", hear))
    await started.start()
    async with asyncio.timeout(30):
        await heard.wait()
        await started.ended()
    following.cancel()
    await asyncio.wait({following})

    assert told == ["ALERT one", "ALERT two"]


async def test_what_it_said_last_is_told_when_it_ends_too_soon(tmp_path: Path) -> None:
    started = program(tmp_path / "log", "raise SystemExit('out of luck')")
    await started.start()

    assert await started.ended() == "the program ended with 1:\nout of luck"


async def test_a_program_that_does_not_heed_a_request_is_ended_by_force(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    heard = asyncio.Event()
    started = program(tmp_path / "log", f"{deaf}; signal.pause()")
    following = asyncio.create_task(started.follow("deaf", lambda _: heard.set()))
    await started.start()
    pid = started.pid
    async with asyncio.timeout(30):
        await heard.wait()
        await started.stop()
    following.cancel()
    await asyncio.wait({following})

    assert not await asyncio.to_thread(Path(f"/proc/{pid}").exists)


def test_a_leash_is_only_used_where_it_works() -> None:
    assert leash() in {(), ("setpriv", "--pdeathsig", "KILL")}
