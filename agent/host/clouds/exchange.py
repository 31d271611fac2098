"""One request over plain HTTP to a service that is near: no proxy, no redirect, no long answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

MOST: Final = 64 * 1024
"""Bytes of a body; metadata is smaller, and what is larger comes from somebody else."""
_LONGEST_LINE: Final = 8 * 1024
_MOST_LINES: Final = 64
_BODILESS: Final = frozenset({204, 304})


class UnclearError(Exception):
    """There was no answer from which anything follows; says why in words that stay the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service said."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes = b""

    @property
    def at(self) -> datetime | None:
        """Return what time it is by the service's clock, if it says so."""
        return rfc2822(self.headers.get("date", ""))


async def ask(
    url: str, *, patience: timedelta, headers: Mapping[str, str], method: str = "GET"
) -> Answer:
    """Ask a URL once, and hang up.

    Raises:
        UnclearError: nobody answered in time, or not in HTTP, or at too great a length.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await _asked(url, headers, method)
    except TimeoutError as late:
        raise UnclearError("timeout") from late
    except ConnectionRefusedError as refused:
        raise UnclearError("refused") from refused
    except OSError as error:
        raise UnclearError("unreachable") from error
    except (asyncio.IncompleteReadError, ValueError) as broken:
        raise UnclearError("broken answer") from broken


def rfc2822(text: str) -> datetime | None:
    """Read a time such as `21 Jan 2019 09:00:43 GMT`, with or without a day of the week."""
    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


async def _asked(url: str, headers: Mapping[str, str], method: str) -> Answer:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        where.hostname, where.port or 80, limit=_LONGEST_LINE
    )
    try:
        target = f"{where.path or '/'}?{where.query}".removesuffix("?")
        told = {"Host": where.netloc, "Connection": "close", "Content-Length": "0", **headers}
        lines = (f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        return await read(reader)
    finally:
        writer.transport.abort()


async def read(reader: asyncio.StreamReader) -> Answer:
    """Read one answer of HTTP/1.

    Raises:
        ValueError: it is none, or too long.
        asyncio.IncompleteReadError: it ends too early.
    """
    status = _status(await _line(reader))
    headers: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = await _line(reader)
        if not line:
            return Answer(status=status, headers=headers, body=await _body(reader, status, headers))
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"expected a header, got {line!r}")
        headers[name.strip().lower()] = value.strip()
    raise ValueError(f"expected at most {_MOST_LINES} headers")


def _status(line: str) -> int:
    protocol, _, rest = line.partition(" ")
    code = rest[:3]
    if not protocol.startswith("HTTP/1.") or not (code.isascii() and code.isdecimal()):
        raise ValueError(f"expected a status of HTTP/1, got {line!r}")
    return int(code)


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\n")).decode("latin-1").rstrip("\r\n")
    except asyncio.LimitOverrunError as long:
        raise ValueError(f"expected a line of at most {_LONGEST_LINE} bytes") from long


async def _body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bytes:
    if status in _BODILESS:
        return b""
    coding = headers.get("transfer-encoding", "").lower()
    if coding:
        return await _chunks(reader, coding)
    length = headers.get("content-length")
    if length is None:
        return await _rest(reader)
    return await reader.readexactly(_small(int(length)))


async def _chunks(reader: asyncio.StreamReader, coding: str) -> bytes:
    if coding != "chunked":
        raise ValueError(f"expected a body in chunks or whole, got {coding!r}")
    body = b""
    while size := int((await _line(reader)).partition(";")[0], 16):
        _small(len(body) + _small(size))
        body += await reader.readexactly(size)
        if await _line(reader):
            raise ValueError("expected the end of a chunk")
    return body


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while part := await reader.read(MOST):
        body += part
        _small(len(body))
    return body


def _small(size: int) -> int:
    if not 0 <= size <= MOST:
        raise ValueError(f"expected a body of at most {MOST} bytes, got {size}")
    return size
