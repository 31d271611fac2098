"""The door through which alerts leave: one POST, answered in time or not delivered."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from nodehealth.kit.clocks import Clock
from remediator.sinks import DeliveryError, Outside, RefusedError

_DEADLINE: Final = aiohttp.ClientTimeout(total=10)
_NOT_UNDERSTOOD: Final = frozenset({400, 413, 422})
_QUOTED: Final = 200


@asynccontextmanager
async def outside(clock: Clock) -> AsyncIterator[Outside]:
    """Open the way outside."""
    async with aiohttp.ClientSession(timeout=_DEADLINE) as session:

        async def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
            await _post(session, url, body, headers)

        yield Outside(post=post, write=write, clock=clock)


async def write(text: str) -> None:
    """Write to the standard output, however slowly it is read."""

    def at_once() -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    await asyncio.to_thread(at_once)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> None:
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            if answer.status < 300:
                return
            said = (await answer.content.read(_QUOTED)).decode(errors="replace").strip()
    except (aiohttp.ClientError, OSError) as failed:  # TimeoutError is an OSError
        fact = f"{type(failed).__name__}: {failed}".removesuffix(": ")
        raise DeliveryError(f"{_spoken(url)}: {fact}") from failed
    text = f"{_spoken(url)}: expected 2xx, got {answer.status} {said}".rstrip()
    if answer.status in _NOT_UNDERSTOOD:
        raise RefusedError(text)
    raise DeliveryError(text)


def _spoken(url: str) -> str:
    """Name where it went without what may be secret: paths and queries often hold a token."""
    return str(URL(url).origin())
