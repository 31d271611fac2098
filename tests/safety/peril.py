"""A way to the API server that crashes its user, loses answers, refuses and dawdles, as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final, TypeAlias, TypeVar

from nodehealth.kube import errors
from nodehealth.kube.transport import Request, Response, Transport
from remediator.asking import AskingError
from remediator.sinks import Post
from simulator.api import answers, status

_T = TypeVar("_T")
Answering: TypeAlias = Callable[[bytes], Awaitable[bytes]]

_NODES: Final = "/api/v1/nodes/"
_REFUSALS: Final = (
    status.StatusError(409, "Conflict", "the object has been modified; please try again"),
    status.StatusError(422, "Invalid", "the server rejected our request due to an error in it"),
    status.StatusError(
        429, "TooManyRequests", "too many requests", details={"retryAfterSeconds": 1}
    ),
    status.StatusError(500, "InternalError", "an error on the server"),
    status.StatusError(504, "Timeout", "the server was unable to return a response in time"),
)
_LATE_REFUSALS: Final = _REFUSALS[3:]
"""What an answer may be although the request was carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """How often what goes wrong, as shares of one; the rest goes well."""

    lost_before: float = 0.0
    """The request never arrives."""
    lost_after: float = 0.0
    """The request is carried out and its answer is lost."""
    zombie: float = 0.0
    """The answer is lost at once, and the request is carried out long after."""
    haunted: float = 0.0
    """The same of patches of Nodes."""
    freeze: float = 0.0
    """The whole process stands still before the request, and goes on later as if nothing was."""
    refused: float = 0.0
    """The server refuses and does nothing: 409, 422, 429, 500, 504."""
    failed_after: float = 0.0
    """The request is carried out, and the answer is 500 or 504."""
    doubled: float = 0.0
    """Somebody on the way sends the request twice; the second answer is what is heard."""
    dawdle: timedelta = timedelta()
    """How long a request may be under way at most."""
    spell: timedelta = timedelta(seconds=40)
    """How long a zombie wanders and a process is frozen at most."""
    lasts: timedelta = timedelta.max
    """After how long all goes well: nothing ends for who is always out of luck."""


@dataclass(slots=True, kw_only=True)
class Crash:
    """The end of a process at its nth request: before it is sent, or after it is carried out."""

    at_write: int
    after: bool
    reads: bool = False
    """Whether reading counts, too."""
    among: tuple[str, ...] = ()
    """Parts of paths, one of which is in the path of every request that counts; empty: all."""
    writes: int = field(default=0, init=False)

    def strikes(self, path: str, *, write: bool = True) -> bool:
        """Count one more request and say whether it is the one."""
        if not (write or self.reads):
            return False
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

    def kill(self) -> None:
        """Let the process die here and now: nothing is sent any more."""
        self._dead = True
        self._crashed()

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request, or not."""
        await self._dawdle()
        await self._freeze()
        write = request.method != "GET"
        self.writes += write
        crash = self._crash
        struck = crash is not None and crash.strikes(request.path, write=write)
        if struck and crash is not None and not crash.after:
            self.kill()
        if self._dead:
            await asyncio.Event().wait()
        refusal = self._refusal(request, write=write)
        if refusal is not None:
            yield answers.Answer(answers.refusal(refusal))
            return
        if write and not _counts(request) and self._happens(self._luck.doubled):
            await self._send(request, deadline)
        async with self._inner.open(request, deadline=deadline) as response:
            if struck:
                self.kill()
                await asyncio.Event().wait()
            if write and self._happens(self._luck.lost_after):
                raise errors.OutcomeUnknownError("the answer was lost")
            if write and self._happens(self._luck.failed_after):
                yield answers.Answer(answers.refusal(self._random.choice(_LATE_REFUSALS)))
                return
            yield response

    async def post(self, post: Post, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post something elsewhere, which counts as a write to crash at, too."""
        await self._elsewhere(url, partial(post, url, body, headers))

    async def ask(self, answer: Answering, url: str, body: bytes) -> bytes:
        """Ask somebody elsewhere, which counts as a write to crash at, too; answers get lost."""
        said = await self._elsewhere(url, partial(answer, body))
        if self._happens(self._luck.lost_after):
            raise AskingError("the answer was lost")
        return said

    async def _elsewhere(self, url: str, send: Callable[[], Awaitable[_T]]) -> _T:
        crash = self._crash
        struck = crash is not None and crash.strikes(url)
        if struck and crash is not None and not crash.after:
            self.kill()
        if self._dead:
            await asyncio.Event().wait()
        said = await send()
        if struck:
            self.kill()
            await asyncio.Event().wait()
        return said

    def _refusal(self, request: Request, *, write: bool) -> status.StatusError | None:
        """Say what the server answers that does nothing; raise where no answer comes."""
        if self._happens(self._luck.lost_before):
            raise errors.UnreachableError("the request was lost")
        if write and self._happens(self._zombie(request)):
            self._raise_zombie(request)
            raise errors.OutcomeUnknownError("the connection broke")
        if not self._happens(self._luck.refused):
            return None
        return self._random.choice(_REFUSALS if write else _REFUSALS[2:])

    def _zombie(self, request: Request) -> float:
        patches_a_node = request.method == "PATCH" and request.path.startswith(_NODES)
        return max(self._luck.zombie, self._luck.haunted if patches_a_node else 0.0)

    def _happens(self, share: float) -> bool:
        """Draw, but only where there is something to be drawn."""
        over = asyncio.get_running_loop().time() > self._luck.lasts.total_seconds()
        return share > 0 and not over and self._random.random() < share

    async def _send(self, request: Request, deadline: timedelta) -> None:
        async with self._inner.open(request, deadline=deadline) as response:
            await response.read()

    async def _dawdle(self) -> None:
        seconds = self._luck.dawdle.total_seconds()
        if seconds:
            await asyncio.sleep(self._random.uniform(0, seconds))

    async def _freeze(self) -> None:
        loop = asyncio.get_running_loop()
        if self._happens(self._luck.freeze):
            self._frozen_until = loop.time() + self._spell()
        await asyncio.sleep(max(0.0, self._frozen_until - loop.time()))

    def _raise_zombie(self, request: Request) -> None:
        async def wander() -> None:
            await asyncio.sleep(self._spell())
            await self._send(request, timedelta(minutes=1))

        zombie = asyncio.create_task(wander(), name="a zombie request")
        self._zombies.add(zombie)
        zombie.add_done_callback(self._zombies.discard)

    def _spell(self) -> float:
        return self._random.uniform(1.0, self._luck.spell.total_seconds())


def _counts(request: Request) -> bool:
    """Say whether the observer would take somebody's second sending for a second order of ours.

    It counts deletions of a machine by requests; by UID, the second one changes nothing.
    """
    return request.method == "DELETE" and "/machines/" in request.path
