"""The answer to one request, whole or still arriving, as every transport hands it on."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from nodehealth.kube.transport import Response
from simulator.api import wire
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A code, headers, and a body in pieces; a watch has a stream in their place."""

    code: int
    pieces: Iterable[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": JSON})
    stream: AsyncGenerator[bytes, None] | None = None

    def body(self) -> bytes:
        """Return the whole body of what is no stream."""
        return b"".join(self.pieces)


def of(value: JsonObject, *, code: int = 200) -> Outcome:
    """Answer with an object."""
    return Outcome(code=code, pieces=(wire.encode(value),))


def text(content: str, *, code: int = 200) -> Outcome:
    """Answer with plain text."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    return Outcome(code=code, pieces=(content.encode(),), headers=headers)


def refusal(problem: StatusError) -> Outcome:
    """Answer with a Status that says what is wrong."""
    headers = {"content-type": JSON}
    if problem.retry_after:
        headers["retry-after"] = str(problem.retry_after)
    return Outcome(code=problem.code, pieces=(wire.encode(problem.wire()),), headers=headers)


class Answer(Response):
    """An outcome as a response of the client's seam."""

    def __init__(self, outcome: Outcome) -> None:
        self.status = outcome.code
        self.headers = outcome.headers
        self._outcome = outcome

    @property
    def length(self) -> int | None:
        """Return the length of the body if it is known before it is sent."""
        pieces = self._outcome.pieces
        if self._outcome.stream is not None or not isinstance(pieces, tuple):
            return None
        return sum(map(len, pieces))

    async def read(self) -> bytes:
        """Return the whole body."""
        async with aclosing(self.chunks()) as pieces:
            return b"".join([piece async for piece in pieces])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body piece by piece, letting others run in between."""
        if self._outcome.stream is not None:
            async with aclosing(self._outcome.stream) as stream:
                async for piece in stream:
                    yield piece
            return
        for piece in self._outcome.pieces:
            yield piece
            await asyncio.sleep(0)


@lru_cache
def date(second: datetime) -> str:
    """Write the header that tells the time, which says no more than the second."""
    return format_datetime(second, usegmt=True)


def with_headers(outcome: Outcome, headers: Mapping[str, str]) -> Outcome:
    """Return an outcome with more headers."""
    return replace(outcome, headers={**outcome.headers, **headers})
