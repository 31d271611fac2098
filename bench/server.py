"""A measured child as its parent sees it: started, asked, ended."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bench import child
from bench.benchmark import Site
from bench.figures import Figures
from nodehealth.kube.http import HttpTransport
from nodehealth.kube.transport import Request
from nodemend.demo.processes import Program

T = TypeVar("T")

_DEADLINE: Final = timedelta(seconds=60)
_UP_WITHIN: Final = 120.0
_LOOK_AGAIN: Final = 0.02


class MeasurementError(Exception):
    """Something did not do what was to be measured."""


class _Ready(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    side: str
    founded_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A child that serves."""

    transport: HttpTransport
    url: str
    pid: int
    ready_s: float
    """From the start of the process until it served."""
    founded_s: float
    """The part of it after everything was imported."""
    side: HttpTransport

    async def ask(self, what: str, kind: type[T]) -> T:
        """Ask something at the side door."""
        said = await send(self.side, Request(method="GET", path=f"/{what}"))
        return msgspec.json.decode(said, type=kind)

    async def pauses(self) -> Figures:
        """Return the pauses of its loop since the last time."""
        return await self.ask("pauses", dict[str, float])


async def send(transport: HttpTransport, request: Request) -> bytes:
    """Send a request and return its answer.

    Raises:
        MeasurementError: it was refused.
    """
    async with transport.open(request, deadline=_DEADLINE) as response:
        body = await response.read()
    if response.status != 200:
        raise MeasurementError(f"{request.method} {request.path}: {response.status} {body[:200]!r}")
    return body


@asynccontextmanager
async def started(module: str, site: Site, **numbers: int) -> AsyncIterator[Server]:
    """Start a child, and end it with the context.

    Raises:
        MeasurementError: it does not come up.
    """
    folder = site.folder / module
    await asyncio.to_thread(folder.mkdir)
    command = [sys.executable, "-m", f"bench.{module}", "--folder", str(folder)]
    if site.core is not None:
        command += ["--core", str(site.core)]
    for name, value in numbers.items():
        command += [f"--{name}", str(value)]
    program = Program(module, command, log=folder / "log")
    begun = time.perf_counter()
    await program.start()
    try:
        ready = await _ready(program, folder / child.READY)
        took = time.perf_counter() - begun
        async with HttpTransport(ready.url) as transport, HttpTransport(ready.side) as side:
            yield Server(
                transport=transport,
                url=ready.url,
                pid=program.pid,
                ready_s=took,
                founded_s=ready.founded_s,
                side=side,
            )
    finally:
        await program.stop()


async def _ready(program: Program, path: Path) -> _Ready:
    ended = asyncio.create_task(program.ended())
    try:
        async with asyncio.timeout(_UP_WITHIN):
            while not await asyncio.to_thread(path.exists):
                if ended.done():
                    raise MeasurementError(ended.result())
                await asyncio.sleep(_LOOK_AGAIN)
    finally:
        ended.cancel()
    return msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=_Ready)
