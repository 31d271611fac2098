"""Signed questions to web services of operators: one POST, one whole answer, the same once more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from nodehealth.kit import clocks, signing

LONGEST: Final = timedelta(seconds=30)
"""An order, tried twice, must be over long before it may be given under another key."""
_TRIES: Final = 2
_PAUSE: Final = 1.0
_LONGEST_ANSWER: Final = 2**16
_QUOTED: Final = 120


class AskingError(Exception):
    """There is no clear answer; with the same key, it may be asked again."""


class _AwayError(AskingError):
    """Nobody answered, or perhaps somebody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A web service that is asked by signed messages."""

    url: str
    secret_file: str
    timeout: timedelta

    def __post_init__(self) -> None:
        """Refuse what can't be asked."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: expected one such as https://host/path, got {self.url!r}")
        if not timedelta() < self.timeout <= LONGEST:
            seconds = LONGEST.total_seconds()
            raise ValueError(f"timeout: expected more than nothing and at most {seconds:g}s")

    @property
    def place(self) -> str:
        """Name where it is without what may be secret: paths and queries often hold a token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    async def ask(self, body: bytes) -> bytes:
        """Send a body, once more if nobody answers, and return the whole answer.

        Raises:
            AskingError: says what there is instead of an answer.
        """
        secret = await self._secret()
        for _ in range(_TRIES - 1):
            try:
                return await self._exchange(body, secret)
            except _AwayError:
                await asyncio.sleep(_PAUSE)
        return await self._exchange(body, secret)

    async def _secret(self) -> bytes:
        """Read the secret anew each time: it may be changed while we run."""
        try:
            secret = (await asyncio.to_thread(Path(self.secret_file).read_bytes)).strip()
        except OSError as wrong:
            text = f"{self.secret_file}: expected the webhook's secret, {wrong.strerror}"
            raise AskingError(text) from wrong
        if not secret:
            raise AskingError(f"{self.secret_file}: expected the webhook's secret, it is empty")
        return secret

    async def _exchange(self, body: bytes, secret: bytes) -> bytes:
        headers = {
            "Content-Type": "application/json",
            **signing.headers(body, secret, clocks.wall()),
        }
        seconds = self.timeout.total_seconds()
        limits = aiohttp.ClientTimeout(total=seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=limits) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = await _whole(answer)
        except TimeoutError as late:
            raise _AwayError(f"{self.place} was silent for {seconds:g} s") from late
        except (aiohttp.ClientError, OSError) as failed:
            raise _AwayError(f"{self.place}: {type(failed).__name__}: {failed}") from failed
        if answer.status == 200:
            return said
        text = f"{self.place}: expected 200, got {answer.status} {quoted(said)}".rstrip()
        raise _AwayError(text) if answer.status >= 500 else AskingError(text)


Way: TypeAlias = Callable[[Service, bytes], Awaitable[bytes]]
"""A way to ask a service, such as `Service.ask`."""


def quoted(said: bytes) -> str:
    """Return the beginning of what was said, in one line."""
    return " ".join(said[:_QUOTED].decode(errors="replace").split())


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end: a part of one may look like another one."""
    said = bytearray()
    async for chunk in answer.content.iter_any():
        said += chunk
        if len(said) > _LONGEST_ANSWER:
            raise AskingError(f"expected an answer of at most {_LONGEST_ANSWER} bytes, got more")
    return bytes(said)
