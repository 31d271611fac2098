"""A way to the API server that crashes its user, loses answers, refuses and dawdles, as told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from nodehealth.kube import errors
from nodehealth.kube.transport import Request, Response, Transport
from remediator.sinks import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """How often what goes wrong, as shares of one; the rest goes well."""

    lost_before: float = 0.0
    """The request never arrives."""
    lost_after: float = 0.0
    """The request is carried out and its answer is lost."""
    zombie: float = 0.0
    """The answer is lost at once, and the request is carried out long after."""
    freeze: float = 0.0
    """The whole process stands still before the request, and goes on later as if nothing was."""
    dawdle: timedelta = timedelta()
    """How long a request may be under way at most."""
    spell: timedelta = timedelta(seconds=40)
    """How long a zombie wanders and a process is frozen at most."""


@dataclass(slots=True, kw_only=True)
class Crash:
    """The end of a process at its nth write: before it is sent, or after it is carried out."""

    at_write: int
    after: bool
    among: tuple[str, ...] = ()
    """Parts of paths, one of which is in the path of every write that counts; empty counts all."""
    writes: int = field(default=0, init=False)

    def strikes(self, path: str) -> bool:
        """Count one more write and say whether it is the one."""
        if self.among and not any(part in path for part in self.among):
            return False
        self.writes += 1
        return self.writes == self.at_write


class PerilousTransport(Transport):
    """Carries requests on as luck will have it; once crashed it carries nothing any more."""

    def __init__(
        self,
        inner: Transport,
        *,
        random: Random,
        luck: Luck | None = None,
        crash: Crash | None = None,
        crashed: Callable[[], None] | None = None,
    ) -> None:
        self._inner, self._random = inner, random
        self._luck, self._crash = luck or Luck(), crash
        self._crashed = crashed or (lambda: None)
        self._dead = False
        self._frozen_until = 0.0
        self._zombies: set[asyncio.Task[None]] = set()
        self.writes = 0

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request, or not."""
        await self._dawdle()
        await self._freeze()
        write = request.method != "GET"
        self.writes += write
        struck = write and self._crash is not None and self._crash.strikes(request.path)
        if struck and self._crash is not None and not self._crash.after:
            await self._die()
        if self._dead:
            await asyncio.Event().wait()
        if self._random.random() < self._luck.lost_before:
            raise errors.UnreachableError("the request was lost")
        if write and self._random.random() < self._luck.zombie:
            self._raise_zombie(request)
            raise errors.OutcomeUnknownError("the connection broke")
        async with self._inner.open(request, deadline=deadline) as response:
            if struck:
                await self._die()
            if write and self._random.random() < self._luck.lost_after:
                raise errors.OutcomeUnknownError("the answer was lost")
            yield response

    async def post(self, post: Post, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post something elsewhere, which counts as a write to crash at, too."""
        crash = self._crash
        struck = crash is not None and crash.strikes(url)
        if struck and crash is not None and not crash.after:
            await self._die()
        if self._dead:
            await asyncio.Event().wait()
        await post(url, body, headers)
        if struck:
            await self._die()

    async def _dawdle(self) -> None:
        seconds = self._luck.dawdle.total_seconds()
        if seconds:
            await asyncio.sleep(self._random.uniform(0, seconds))

    async def _freeze(self) -> None:
        loop = asyncio.get_running_loop()
        if self._random.random() < self._luck.freeze:
            self._frozen_until = loop.time() + self._spell()
        await asyncio.sleep(max(0.0, self._frozen_until - loop.time()))

    def _raise_zombie(self, request: Request) -> None:
        async def wander() -> None:
            await asyncio.sleep(self._spell())
            async with self._inner.open(request, deadline=timedelta(minutes=1)) as response:
                await response.read()

        zombie = asyncio.create_task(wander(), name="a zombie request")
        self._zombies.add(zombie)
        zombie.add_done_callback(self._zombies.discard)

    def _spell(self) -> float:
        return self._random.uniform(1.0, self._luck.spell.total_seconds())

    async def _die(self) -> None:
        self._dead = True
        self._crashed()
        await asyncio.Event().wait()
