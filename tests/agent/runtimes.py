"""A container runtime that answers over the CRI as a test has it: HTTP/2 and protocol buffers."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.host import grpc
from agent.host.grpc import DATA, GOAWAY, HEADERS, PING, PREFACE, RESET, SETTINGS, frame

END = 1
TRAILERS = b"\x88"


def number(value: int) -> bytes:
    """Write a number as protocol buffers do."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def part(at: int, value: int | str | bytes) -> bytes:
    """Write a field."""
    if isinstance(value, int):
        return number(at << 3) + number(value)
    encoded = value.encode() if isinstance(value, str) else value
    return number(at << 3 | 2) + number(len(encoded)) + encoded


def status(**conditions: str) -> bytes:
    """Say Status: each condition with the reason why it is false, or nothing."""
    said = b""
    for kind, reason in conditions.items():
        each = part(1, kind) + (part(3, reason) + part(4, "because") if reason else part(2, 1))
        said += part(1, each)
    return part(1, said)


def containers(*made: tuple[int, int]) -> bytes:
    """Say ListContainers: of each its state and when it was made, in seconds since 1970."""
    return b"".join(
        part(1, part(1, "id") + (part(6, state) if state else b"") + part(7, at * 10**9))
        for state, at in made
    )


def images(*folders: str) -> bytes:
    """Say ImageFsInfo."""
    return b"".join(part(1, part(1, 5) + part(2, part(1, each))) for each in folders)


@dataclass
class Fake:
    """What it answers by method; what it has no answer to it declines, as gRPC does."""

    answers: Mapping[str, bytes] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    """What it never answers."""
    raw: Mapping[str, bytes] = field(default_factory=dict)
    """What it says instead, frame for frame."""
    heard: Callable[[str], object] = str
    """Is told each method that it is asked for."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question, and any ping before it."""
        assert await reader.readexactly(len(PREFACE)) == PREFACE
        writer.write(frame(SETTINGS, bytes([0, 5, 0, 0, 64, 0])) + frame(PING, b"8 bytes."))
        with contextlib.suppress(asyncio.IncompleteReadError):  # who only pings asks nothing
            method = await self._asked(reader, writer)
            self.heard(method)
            if method not in self.slow:
                writer.write(self.raw.get(method) or self._said(method))
            await reader.read()
        writer.close()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        method, body = "", b""
        while not body:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == PING and not head[4] & grpc.ACK:
                writer.write(frame(PING, payload, flags=grpc.ACK))
            if head[3] == HEADERS:
                method = _method(payload)
            body = payload if head[3] == DATA else b""
        return method

    def _said(self, method: str) -> bytes:
        answer = self.answers.get(method)
        end = frame(HEADERS, TRAILERS, flags=END | 4, stream=1)
        if answer is None:
            return end
        return frame(HEADERS, TRAILERS, flags=4, stream=1) + data(answer) + end


def data(message: bytes) -> bytes:
    """Write a message as frames of no more than 16 KiB."""
    whole = b"\0" + len(message).to_bytes(4, "big") + message
    return b"".join(
        frame(DATA, whole[at : at + 16_384], stream=1) for at in range(0, len(whole), 16_384)
    )


def _method(headers: bytes) -> str:
    found = re.search(rb"/runtime\.v1\.(\w+/\w+)", headers)
    return found[1].decode() if found else ""


async def speaks_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a server of gRPC does: with its settings, then to each frame that asks."""
    assert await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    writer.write(bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + bytes([0, 5, 0, 0, 64, 0]))
    for _ in range(2):
        head = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
        writer.write(head[:4] + b"\x01" + head[5:] + payload)
    await reader.read()
    writer.close()


@asynccontextmanager
async def runtime(socket: Path, fake: Fake) -> AsyncIterator[None]:
    """Let a runtime answer on a socket."""
    await asyncio.to_thread(socket.parent.mkdir, parents=True, exist_ok=True)
    async with await asyncio.start_unix_server(fake.serve, socket):
        yield
    await asyncio.to_thread(socket.unlink)


BROKEN = {
    "nothing": frame(HEADERS, TRAILERS, flags=END | 4, stream=1),
    "a reset": frame(RESET, b"\0\0\0\2", stream=1),
    "a farewell": frame(GOAWAY, bytes(8)),
    "half a message": frame(DATA, b"\0\0\0\0\x09abc", flags=END, stream=1),
    "a compressed one": frame(DATA, b"\1\0\0\0\0", flags=END, stream=1),
    "too large a frame": (70_000).to_bytes(3, "big") + bytes([DATA, 0]) + bytes(4),
    "too much": frame(DATA, bytes(16_384), stream=1) * (grpc.WINDOW // 16_384 + 1),
}
