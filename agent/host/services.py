"""Whether a service on this machine answers, and if not, why, in one of a few words."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Final
from urllib.parse import SplitResult, urlsplit

from agent.host import ours

WELL: Final = ""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_PING: Final = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"nodemend"
_PONG: Final = (6, 1)
"""The type of a ping's frame, and the flag of its answer."""
_MOST_FRAMES: Final = 16


async def http(url: str, *, patience: timedelta) -> str:
    """Ask a URL over plain HTTP; return nothing when it answers with 200, else why not.

    Raises:
        OSError: it could not be asked, for want of something on this machine.
    """
    where = urlsplit(url)
    return await _why(_asked(where), patience)


async def http2(socket: str, *, patience: timedelta) -> str:
    """Ping a server of HTTP/2, such as one of gRPC, on its UNIX socket; likewise.

    The kernel takes connections for a server that stands still; the answer to a ping proves that it
    runs.
    """
    return await _why(_pinged(socket), patience)


async def _why(asked: Awaitable[str], patience: timedelta) -> str:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await asked
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    except FileNotFoundError:
        return "no socket"
    except asyncio.IncompleteReadError:
        return "broken"
    except OSError as error:
        if ours.is_ours(error):
            raise
        return "broken"


async def _asked(where: SplitResult) -> str:
    reader, writer = await asyncio.open_connection(where.hostname, where.port or 80)
    try:
        request = f"GET {where.path or '/'} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        writer.write(f"{request}Connection: close\r\n\r\n".encode())
        protocol, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
    finally:
        writer.transport.abort()
    if not protocol.startswith("HTTP/"):
        return "broken"
    status = rest[:3]
    return WELL if status == "200" else f"status {status}"


async def _pinged(socket: str) -> str:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(_PREFACE + _SETTINGS + _PING)
        for _ in range(_MOST_FRAMES):
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            if (head[3], head[4]) == _PONG:
                return WELL
    finally:
        writer.transport.abort()
    return "broken"
