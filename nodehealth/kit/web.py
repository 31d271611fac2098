"""What a cluster asks every program over HTTP: its metrics, whether it lives, whether it is ready.

A server for these three questions and no more: it answers one question a connection. aiohttp's
takes 2 MiB of each agent's memory (docs/adr/0035-an-agent-loads-what-it-calls.md).
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from nodehealth.kit.settings import SettingsError

logger = logging.getLogger(__name__)

Check: TypeAlias = Callable[[], str]
"""Returns why not, as a sentence; nothing at all when all is well."""
Metrics: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Returns all metrics and which format they are in, for a client that accepts some formats."""

TEXT: Final = "text/plain; charset=utf-8"
_LAST_ANSWERS: Final = 1.0
"""Seconds that answers under way may still take when the program ends."""
_MOST_CLIENTS: Final = 64
_LONGEST_QUESTION: Final = 16 * 1024
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen."""

    port: int
    """0 means any that is free."""
    host: str = ""
    """Empty means every address of the machine."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(text: str) -> Address:
    """Read `HOST:PORT`, `[HOST]:PORT` for IPv6, or `:PORT` for every address of the machine.

    Raises:
        nodehealth.kit.settings.SettingsError: the text is none of these.
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    good = colon and port.isascii() and port.isdigit() and int(port) < 2**16
    if not good or (":" in bare) != (f"[{bare}]" == host):
        raise SettingsError(f"listen: expected HOST:PORT, [HOST]:PORT or :PORT, got {text!r}")
    return Address(host=bare, port=int(port))


@contextlib.asynccontextmanager
async def serve(
    where: Address, *, metrics: Metrics, healthy: Check, ready: Check, patience: float = 10.0
) -> AsyncIterator[Address]:
    """Answer `/metrics`, `/healthz` and `/readyz` within the context; give where we listen.

    Args:
        where: The address to listen on.
        metrics: What `/metrics` tells.
        healthy: Why the program should be started anew, if it should.
        ready: Why the program can't do its work now, if it can't.
        patience: Seconds that a client may take to ask and to read the answer.

    Raises:
        nodehealth.kit.settings.SettingsError: the address can't be listened on.
    """
    pages = {"/metrics": _told(metrics), "/healthz": _checked(healthy), "/readyz": _checked(ready)}
    desk = _Desk(pages, patience)
    server = await _listening(where, desk)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        bound = Address(host=str(host), port=int(port))
        logger.info("listens on %s for /metrics, /healthz and /readyz", bound)
        yield bound
    finally:
        server.close()
        await desk.close()
        await server.wait_closed()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    body: bytes
    kind: str = TEXT
    status: HTTPStatus = HTTPStatus.OK

    def written(self, *, whole: bool) -> bytes:
        """Write it as HTTP, without its body for who asked for the head alone."""
        head = (
            f"HTTP/1.1 {self.status} {self.status.phrase}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
        )
        return "\r\n".join((*head, "\r\n")).encode() + (self.body if whole else b"")


_Page: TypeAlias = Callable[[str], _Answer]
"""Answers a client that accepts some formats."""


class _Desk:
    """Where clients are met, each for one question."""

    def __init__(self, pages: Mapping[str, _Page], patience: float) -> None:
        self._pages, self._patience = pages, patience
        self._met = set[asyncio.Task[None]]()

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to answer a client, unless there are too many of them."""
        if len(self._met) >= _MOST_CLIENTS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._served(reader, writer), name="answer")
        self._met.add(task)
        task.add_done_callback(self._met.discard)

    async def close(self) -> None:
        """Give the answers under way a moment to end."""
        if self._met:
            _, late = await asyncio.wait(self._met, timeout=_LAST_ANSWERS)
            for each in late:
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._patience):
                writer.write(self._answer(await reader.readuntil(_END)))
                writer.close()
                await writer.wait_closed()
        except asyncio.LimitOverrunError:
            logger.debug("a client asked at too great a length")
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as gone:
            logger.debug("a client went away: %r", gone)
        finally:
            writer.transport.abort()

    def _answer(self, asked: bytes) -> bytes:
        line, *headers = asked.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        target, _, version = rest.rpartition(" ")
        if not version.startswith("HTTP/1."):
            return _refused(HTTPStatus.BAD_REQUEST)
        if method not in {"GET", "HEAD"}:
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED)
        page = self._pages.get(target.partition("?")[0])
        if page is None:
            return _refused(HTTPStatus.NOT_FOUND)
        return page(_accepted(headers)).written(whole=method == "GET")


def _refused(status: HTTPStatus) -> bytes:
    return _Answer(body=f"{status.phrase}\n".encode(), status=status).written(whole=True)


def _accepted(headers: Iterable[str]) -> str:
    """Return which formats a client accepts, as it says."""
    named = (each.partition(":") for each in headers)
    return ",".join(said.strip() for name, _, said in named if name.lower() == "accept")


def _told(metrics: Metrics) -> _Page:
    def page(accepted: str) -> _Answer:
        body, kind = metrics(accepted)
        return _Answer(body=body, kind=kind)

    return page


def _checked(check: Check) -> _Page:
    def page(_: str) -> _Answer:
        reason = check()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        return _Answer(body=f"{reason or 'ok'}\n".encode(), status=status)

    return page


async def _listening(where: Address, desk: _Desk) -> asyncio.Server:
    try:
        return await asyncio.start_server(
            desk.meet, where.host or None, where.port, limit=_LONGEST_QUESTION
        )
    except OSError as refused:
        code = refused.errno or 0
        fact = os.strerror(code) if code > 0 else str(refused)  # below 0: no such host
        raise SettingsError(f"listen: cannot listen on {where}: {fact}") from refused
