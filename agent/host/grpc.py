"""One question to a server of gRPC on a UNIX socket: HTTP/2 as far as a unary call needs it.

What the server says in its headers is not read: an answer that comes whole is one, and whoever
ends without any declines. So nothing of HPACK is needed but a few literals, and no library.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

WINDOW: Final = 16 * 1024 * 1024
"""Bytes that an answer may have."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK: Final = 1
"""The flag of an answer to settings or to a ping."""
_END_STREAM: Final = 1
_END_HEADERS: Final = 4
_PADDED: Final = 8
_FIRST_WINDOW: Final = 65_535
_STREAM: Final = 1
_MOST_FRAMES: Final = 100_000
_LARGEST_FRAME: Final = 16_384


class DeclinedError(Exception):
    """The server took the question and gave no answer to it."""


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Write a frame of HTTP/2."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


async def ask(socket: str, method: str, question: bytes = b"") -> bytes:
    """Return the answer, a message in the form of protocol buffers, to another one.

    Args:
        socket: The path of the server's socket.
        method: Such as `/runtime.v1.RuntimeService/Status`.
        question: The message; by default one that says nothing.

    Raises:
        DeclinedError: it does not answer this question.
        OSError: it is not there, or broke off.
        asyncio.IncompleteReadError: likewise.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(_asked(method, question))
        return _message(await _answer(reader, writer))
    finally:
        writer.transport.abort()


def _asked(method: str, question: bytes) -> bytes:
    body = b"\0" + len(question).to_bytes(4, "big") + question
    settings = (4).to_bytes(2, "big") + WINDOW.to_bytes(4, "big")  # of each stream
    return b"".join(
        (
            PREFACE,
            frame(SETTINGS, settings),
            frame(UPDATE, (WINDOW - _FIRST_WINDOW).to_bytes(4, "big")),
            frame(HEADERS, _headers(method), flags=_END_HEADERS, stream=_STREAM),
            frame(DATA, body, flags=_END_STREAM, stream=_STREAM),
        )
    )


def _headers(method: str) -> bytes:
    """Write POST over http, and literals that nobody need remember, in HPACK."""
    return b"".join(
        (
            b"\x83\x86",
            b"\x04" + _text(method),
            b"\x01" + _text("localhost"),
            b"\x0f\x10" + _text("application/grpc"),
            b"\x00" + _text("te") + _text("trailers"),
        )
    )


def _text(said: str) -> bytes:
    return bytes([len(said)]) + said.encode()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return all data of our stream."""
    taken = bytearray()
    for _ in range(_MOST_FRAMES):
        kind, flags, stream, payload = await _next(reader)
        if kind in {SETTINGS, PING} and not flags & ACK:
            writer.write(frame(kind, payload if kind == PING else b"", flags=ACK))
        if kind == GOAWAY or (kind == RESET and stream == _STREAM):
            break
        if stream != _STREAM or kind not in {DATA, HEADERS}:
            continue
        if kind == DATA:
            taken += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        if flags & _END_STREAM:
            return bytes(taken)
        if len(taken) > WINDOW:
            break
    raise DeclinedError


async def _next(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    head = await reader.readexactly(9)
    size = int.from_bytes(head[:3], "big")
    if size > _LARGEST_FRAME:
        raise DeclinedError
    stream = int.from_bytes(head[5:], "big") & 0x7FFF_FFFF
    return head[3], head[4], stream, await reader.readexactly(size)


def _message(data: bytes) -> bytes:
    size = int.from_bytes(data[1:5], "big")
    if len(data) < 5 or data[0] or len(data) != 5 + size:
        raise DeclinedError  # only its trailers say why, or it is compressed without being asked to
    return data[5:]


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message in protocol buffers: numbers, and what has a length.

    Raises:
        DeclinedError: it is no such message.
    """
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        match key & 7:
            case 0:
                value, at = _number(message, at)
                yield key >> 3, value
            case 2:
                size, at = _number(message, at)
                if at + size > len(message):
                    raise DeclinedError
                yield key >> 3, message[at : at + size]
                at += size
            case 1 | 5 as fixed:
                at += 8 if fixed == 1 else 4
            case _:
                raise DeclinedError


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise DeclinedError
