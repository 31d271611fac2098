"""What clients do to a measured server: lists, patches at a pace or flat out, watches."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bench.server import send
from nodehealth.kube import requests
from nodehealth.kube.http import HttpTransport
from nodehealth.kube.transport import Request

STAMP: Final = "bench.nodemend.dev/sent"
_MARK: Final = f'"{STAMP}":"'.encode()
_DIGITS: Final = 19
_SILENCE: Final = timedelta(seconds=30)
_BEHIND: Final = 0.01
_CAUGHT_UP_WITHIN: Final = 10.0


class Patching:
    """Patches Nodes one after the other; each patch carries the time at which it was sent."""

    def __init__(self, transport: HttpTransport, names: Sequence[str]) -> None:
        self._transport = transport
        self._names = itertools.cycle(names)
        self.sent = 0

    async def __call__(self) -> bytes:
        """Send the next patch and return what it is answered with."""
        self.sent += 1
        stamp = f"{time.perf_counter_ns():0{_DIGITS}}"
        body = {"metadata": {"annotations": {STAMP: stamp}}}
        path = f"/api/v1/nodes/{next(self._names)}"
        merge = requests.MERGE_PATCH
        request = requests.writing("PATCH", path, body, manager="bench", content_type=merge)
        return await send(self._transport, request)


async def listed(transport: HttpTransport, plural: str) -> tuple[float, bytes]:
    """List all objects of a kind at once; return the seconds that it took, and the answer."""
    begun = time.perf_counter()
    body = await send(transport, Request(method="GET", path=f"/api/v1/{plural}"))
    return time.perf_counter() - begun, body


async def paced(work: Callable[[], Awaitable[object]], rate: float, seconds: float) -> list[float]:
    """Begin work at a steady pace whatever becomes of it; return how long each piece took.

    A piece's time begins when it was due, so that a server that stalls cannot hide it.
    """
    took: list[float] = []
    begun = time.perf_counter()

    async def piece(due: float) -> None:
        await work()
        took.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as tasks:
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            tasks.create_task(piece(due))
    return took


async def flat_out(work: Callable[[], Awaitable[object]], seconds: float, *, lanes: int) -> float:
    """Do work as fast as it goes in some lanes; return how many pieces a second were done."""
    begun, done = time.perf_counter(), 0
    ends = begun + seconds

    async def lane() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await work()
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(lanes):
            tasks.create_task(lane())
    return done / (time.perf_counter() - begun)


@dataclass(slots=True)
class Watcher:
    """One client that watches Nodes and notes how old each patch is when it sees it."""

    transport: HttpTransport
    version: str
    waits: list[float] = field(default_factory=list)
    size: int = 0
    """The length of the last event in bytes."""
    last: float = 0.0
    """When the last event came."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    since: int = field(default_factory=time.perf_counter_ns)
    _seen: set[bytes] = field(default_factory=set)

    async def run(self) -> None:
        """Watch until cancelled."""
        query = {"watch": "1", "resourceVersion": self.version, "timeoutSeconds": "600"}
        request = requests.reading("/api/v1/nodes", query, manager="bench")
        rest = b""
        async with self.transport.open(request, deadline=_SILENCE) as response:
            self.opened.set()
            async for chunk in response.chunks():
                self.last = time.perf_counter()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._note(line)

    def _note(self, line: bytes) -> None:
        """Note a patch once: a kubelet that writes its Node later shows an old stamp again."""
        at = line.find(_MARK) + len(_MARK)
        stamp = line[at : at + _DIGITS]
        if at < len(_MARK) or stamp in self._seen or int(stamp) < self.since:
            return
        self._seen.add(stamp)
        self.size = len(line) + 1
        self.waits.append(self.last - int(stamp) / 1e9)


@asynccontextmanager
async def watching(
    transport: HttpTransport, version: str, count: int
) -> AsyncIterator[list[Watcher]]:
    """Open watches, and close them with the context."""
    watchers = [Watcher(transport, version) for _ in range(count)]
    tasks = [asyncio.create_task(each.run()) for each in watchers]
    try:
        async with asyncio.timeout(_CAUGHT_UP_WITHIN):
            await asyncio.gather(*(each.opened.wait() for each in watchers))
        yield watchers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def caught_up(watchers: Sequence[Watcher], count: int) -> bool:
    """Wait until every watcher has seen as many patches; say whether they did."""
    try:
        async with asyncio.timeout(_CAUGHT_UP_WITHIN):
            while any(len(each.waits) < count for each in watchers):  # noqa: ASYNC110 - looking is cheaper than telling
                await asyncio.sleep(_BEHIND)
    except TimeoutError:
        return False
    return True
