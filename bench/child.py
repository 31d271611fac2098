"""A measured server in a process of its own: on its core, with a side door for questions."""

import argparse
import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from bench import cores
from bench.figures import Figure, mebibytes
from bench.pauses import Pauses

READY: Final = "ready.json"
_HOST: Final = "127.0.0.1"
_KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a child serves."""

    url: str
    answers: Mapping[str, Callable[[], Figure]]
    """What can be asked at its side door."""


def arguments(about: str) -> argparse.ArgumentParser:
    """Return a parser of what every child is told."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--core", type=int)
    return parser


def run(served: AbstractAsyncContextManager[Offer], folder: Path, core: int | None) -> None:
    """Serve until told to end."""
    cores.pin(core)
    asyncio.run(_live(served, folder))


async def _live(served: AbstractAsyncContextManager[Offer], folder: Path) -> None:
    stop, pauses, started = asyncio.Event(), Pauses(), time.perf_counter()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with served as offer:
        founded = time.perf_counter() - started
        answers = {**offer.answers, "pauses": pauses.taken, "memory": memory}
        async with _side_door(answers) as side, asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(pauses.run())
            ready = {"url": offer.url, "side": side, "founded_s": founded}
            await asyncio.to_thread(_write, folder / READY, json.dumps(ready))
            await stop.wait()
            ticking.cancel()


@asynccontextmanager
async def _side_door(answers: Mapping[str, Callable[[], Figure]]) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(answers[request.match_info["what"]]())

    app = web.Application()
    app.router.add_get("/{what}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, 0).start()
        yield f"http://{_HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def memory() -> Figure:
    """Return the memory that this process holds, and the most that it ever held, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    known = dict(line.split(":", 1) for line in lines)
    return {
        "rss_mib": mebibytes(int(known["VmRSS"].split()[0]) * _KIB),
        "peak_rss_mib": mebibytes(int(known["VmHWM"].split()[0]) * _KIB),
    }


def cpu() -> float:
    """Return the CPU seconds that this process has used."""
    return time.process_time()


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
