"""A systemd that answers on its private socket as a test has it: D-Bus without a bus."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

SIGNAL, RETURN, ERROR = 4, 2, 3


@dataclass(frozen=True, kw_only=True)
class Service:
    """A unit as systemd has it; one without a result is no service."""

    active: str = "active"
    load: str = "loaded"
    restarts: int = 0
    result: str = "success"


@dataclass
class Systemd:
    """The first process of a machine."""

    units: Mapping[str, Service] = field(default_factory=dict)
    refuses: bool = False
    """Whether it lets nobody ask."""
    hangs: bool = False
    says: bytes = b""
    """What it answers instead, if anything."""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it is closed."""
        assert await reader.readexactly(1) == b"\0"
        assert await reader.readline() == b"AUTH EXTERNAL 30\r\n"
        writer.write(b"REJECTED EXTERNAL\r\n" if self.refuses else b"OK 1234deadbeef\r\n")
        if not self.refuses and await reader.readline() == b"BEGIN\r\n" and not self.hangs:
            await self._answer(reader, writer)
        await reader.read()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(16):
            size, serial, fields = struct.unpack("<III", head[4:])
            called = await reader.readexactly(-(-fields // 8) * 8)
            body = await reader.readexactly(size)
            writer.write(message(SIGNAL, 77, b""))
            writer.write(self.says or self._reply(serial, called, body))

    def _reply(self, serial: int, called: bytes, body: bytes) -> bytes:
        if b"ListUnitsByNames" in called:
            self.asked = [each.decode() for each in strings(body[4:])]
            return message(RETURN, serial, self._listed())
        path = next(name for name in self.units if f"/{name}".encode() in called)
        unit, name = self.units[path], [*strings(body)][1]
        if not unit.result:
            return message(ERROR, serial, text("no such property"))
        if name == b"NRestarts":
            return message(RETURN, serial, b"\x01u\0\0" + struct.pack("<I", unit.restarts))
        return message(RETURN, serial, b"\x01s\0\0" + text(unit.result))

    def _listed(self) -> bytes:
        body = b""
        for name in self.asked:
            unit = self.units.get(name, Service(load="not-found", active="inactive"))
            body += bytes(-len(body) % 8)
            for each in (name, "words", unit.load, unit.active, "sub", "", f"/units/{name}"):
                body += bytes(-len(body) % 4) + text(each)
            body += bytes(-len(body) % 4) + struct.pack("<I", 0)
            for each in ("", "/"):
                body += bytes(-len(body) % 4) + text(each)
        return struct.pack("<I", len(body)) + bytes(4) + body


def text(said: str) -> bytes:
    """Write a text."""
    return struct.pack("<I", len(said)) + said.encode() + b"\0"


def strings(body: bytes) -> list[bytes]:
    """Read texts, one after the other."""
    found, at = list[bytes](), 0
    while at < len(body):
        at += -at % 4
        (size,) = struct.unpack_from("<I", body, at)
        found.append(body[at + 4 : at + 4 + size])
        at += size + 5
    return found


def message(kind: int, serial: int, body: bytes) -> bytes:
    """Write an answer, its header with one field: what it answers."""
    fields = b"\x05\x01u\0" + struct.pack("<I", serial)
    return struct.pack("<cBBBIII", b"l", kind, 1, 1, len(body), 1, len(fields)) + fields + body


@asynccontextmanager
async def running(root: Path, systemd: Systemd) -> AsyncIterator[None]:
    """Let it run on a host."""
    socket = root / "run/systemd/private"
    await asyncio.to_thread(socket.parent.mkdir, parents=True, exist_ok=True)
    async with await asyncio.start_unix_server(systemd.serve, socket):
        yield
    await asyncio.to_thread(socket.unlink)
