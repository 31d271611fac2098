"""How services of the host fare, as systemd says on the socket that only root may ask.

It speaks D-Bus there without a bus in between, and this is as much of D-Bus as three questions
take: no library, no program of the host, and nothing that a policy of the bus could refuse.
"""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SOCKET: Final = "/run/systemd/private"

_MANAGER: Final = "org.freedesktop.systemd1.Manager"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_SERVICE: Final = "org.freedesktop.systemd1.Service"
_ROOT: Final = "/org/freedesktop/systemd1"
_CALL, _RETURN, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _SIGNATURE = 1, 2, 3, 8
_LARGEST: Final = 1 << 20
_MOST_MESSAGES: Final = 100


class SystemdError(Exception):
    """It does not answer what it was asked, or otherwise than systemd does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A service that the host has."""

    name: str
    active: str
    """Such as `active`, `failed` or `inactive`."""
    restarts: int = 0
    """How often systemd started it again by itself; zero again whenever somebody else does."""
    result: str = ""
    """Why it ended last, such as `exit-code`; `success` where it did as it should."""


async def units(socket: str, names: Sequence[str]) -> tuple[Unit, ...]:
    """Ask after services; those that the host has not are left out.

    Raises:
        SystemdError: nothing that makes sense is answered.
        OSError: nobody is there, or only others may ask.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        line = _Line(reader, writer)
        await line.begin()
        listed = await line.call(_ROOT, _MANAGER, "ListUnitsByNames", "as", _list(names))
        there = [each for each in _listed(listed) if each.load == "loaded"]
        return tuple([await _asked(line, each) for each in there])
    except (asyncio.IncompleteReadError, struct.error, IndexError) as garbled:
        raise SystemdError("systemd breaks off") from garbled
    finally:
        writer.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    name: str
    load: str
    active: str
    path: str


async def _asked(line: "_Line", unit: _Listed) -> Unit:
    restarts = await line.get(unit.path, "NRestarts")
    result = await line.get(unit.path, "Result")
    return Unit(
        name=unit.name,
        active=unit.active,
        restarts=restarts if isinstance(restarts, int) else 0,
        result=result if isinstance(result, str) else "",
    )


class _Line:
    """A connection on which one question follows the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._serial = reader, writer, 0

    async def begin(self) -> None:
        """Say that we are root, as the kernel tells systemd anyway."""
        self._writer.write(b"\0AUTH EXTERNAL 30\r\n")
        if not (await self._reader.readline()).startswith(b"OK "):
            raise SystemdError("systemd does not let us ask")
        self._writer.write(b"BEGIN\r\n")

    async def get(self, path: str, name: str) -> int | str | None:
        """Read a property of a service, a number or a text; None of what is no service."""
        body = _Body().text(_SERVICE).text(name).done
        try:
            body = await self.call(path, _PROPERTIES, "Get", "ss", body)
        except SystemdError:
            return None
        said = _Reading(body)
        match said.signature():
            case "u":
                return said.number()
            case "s":
                return said.text()
        return None

    async def call(
        self, path: str, interface: str, member: str, signature: str, body: bytes
    ) -> bytes:
        """Call a method, and return the body of its answer."""
        self._serial += 1
        self._writer.write(_message(self._serial, path, interface, member, signature, body))
        for _ in range(_MOST_MESSAGES):
            kind, answer = await self._next()
            if kind == _RETURN:
                return answer
            if kind == _ERROR:
                break
        raise SystemdError(f"systemd does not answer {member}")

    async def _next(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(16)
        order = "<" if head[:1] == b"l" else ">"
        size, _, fields = struct.unpack(f"{order}III", head[4:])
        if order == ">" or size + fields > _LARGEST:
            raise SystemdError("systemd answers in a way that it never does")
        await self._reader.readexactly(-(-fields // 8) * 8)
        return head[1], await self._reader.readexactly(size)


class _Body:
    """Bytes of D-Bus: each value stands where its size divides the place."""

    def __init__(self) -> None:
        self.done = b""

    def align(self, to: int) -> "_Body":
        self.done += bytes(-len(self.done) % to)
        return self

    def number(self, value: int) -> "_Body":
        self.align(4).done += struct.pack("<I", value)
        return self

    def text(self, said: str) -> "_Body":
        encoded = said.encode()
        self.number(len(encoded)).done += encoded + b"\0"
        return self

    def signature(self, said: str) -> "_Body":
        self.done += bytes([len(said)]) + said.encode() + b"\0"
        return self

    def field(self, code: int, kind: str, said: str) -> "_Body":
        self.align(8).done += bytes([code])
        self.signature(kind)
        return self.signature(said) if kind == "g" else self.text(said)


class _Reading:
    """The same the other way."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._body)

    def align(self, to: int) -> None:
        self._at += -self._at % to

    def number(self) -> int:
        self.align(4)
        (value,) = struct.unpack_from("<I", self._body, self._at)
        self._at += 4
        return int(value)

    def text(self) -> str:
        return self._taken(self.number())

    def signature(self) -> str:
        self._at += 1
        return self._taken(self._body[self._at - 1])

    def _taken(self, size: int) -> str:
        taken = self._body[self._at : self._at + size]
        self._at += size + 1
        return taken.decode(errors="replace")


def _message(
    serial: int, path: str, interface: str, member: str, signature: str, body: bytes
) -> bytes:
    fields = _Body().field(_PATH, "o", path).field(_INTERFACE, "s", interface)
    fields = fields.field(_MEMBER, "s", member).field(_SIGNATURE, "g", signature)
    size = len(fields.done)
    head = b"l" + bytes([_CALL, 0, 1]) + struct.pack("<III", len(body), serial, size)
    return head + fields.align(8).done + body


def _list(names: Sequence[str]) -> bytes:
    texts = _Body()
    for each in names:
        texts.text(each)
    return struct.pack("<I", len(texts.done)) + texts.done


def _listed(body: bytes) -> list[_Listed]:
    """Read a(ssssssouso)."""
    said, found = _Reading(body), list[_Listed]()
    if said.number() != max(0, len(body) - 8):
        raise SystemdError("systemd breaks off")
    said.align(8)
    while not said.is_over:
        said.align(8)
        name, _, load, active, _, _, path = (said.text() for _ in range(7))
        said.number()
        said.text(), said.text()
        found.append(_Listed(name=name, load=load, active=active, path=path))
    return found
