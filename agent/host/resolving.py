"""What a name server makes of a name, asked by ourselves: a library would ask another one too."""

import asyncio
import secrets
import struct
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from agent.host import attributes, ours

PORT: Final = 53
SILENT: Final = "silent"

_HEADER: Final = struct.Struct("!6H")
_RECURSE: Final = 0x0100
_IS_ANSWER: Final = 0x8000
_CODE: Final = 0x000F
_ADDRESS: Final = struct.pack("!2H", 1, 1)
"""A question for addresses of IPv4, on the internet."""
_CODES: Final = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 253
_MOST: Final = 3
"""Name servers that resolvers ask: resolv.conf(5)."""
_MOST_LINKS: Final = 8


def query(name: str, number: int) -> bytes:
    """Write a question.

    Raises:
        ValueError: that is no name.
    """
    labels = name.rstrip(".").encode("ascii").split(b".")
    if len(name) > _LONGEST_NAME or not all(0 < len(each) <= _LONGEST_LABEL for each in labels):
        raise ValueError(f"expected a name such as example.com, got {name!r}")
    written = b"".join(bytes([len(each)]) + each for each in labels)
    return _HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + written + b"\0" + _ADDRESS


def verdict(question: bytes, answer: bytes) -> str | None:
    """Return nothing for a good answer, its code for another, None for what is no answer to it."""
    if len(answer) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(answer)
    if number != _HEADER.unpack_from(question)[0] or not flags & _IS_ANSWER:
        return None
    code = flags & _CODE
    return _CODES.get(code, f"code {code}") if code else ""


async def ask(server: str, name: str, patience: timedelta, *, port: int = PORT) -> str:
    """Ask a name server for a name; return nothing if it resolves it, else why not.

    Raises:
        OSError: it could not be asked, for want of something on this machine.
    """
    question = query(name, secrets.randbelow(1 << 16))
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()
    try:
        async with asyncio.timeout(patience.total_seconds()):
            way, _ = await loop.create_datagram_endpoint(
                lambda: _Listener(question, told), remote_addr=(server, port)
            )
            try:
                way.sendto(question)
                return await told
            finally:
                way.close()
    except OSError as error:  # a TimeoutError is one
        if ours.is_ours(error):
            raise
        return SILENT


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, question: bytes, told: asyncio.Future[str]) -> None:
        self._question, self._told = question, told

    def datagram_received(self, data: bytes, _: object) -> None:
        said = verdict(self._question, data)
        if said is not None and not self._told.done():
            self._told.set_result(said)

    def error_received(self, exc: Exception) -> None:
        """Take it that nobody listens there, as the machine at the other end says."""
        if not self._told.done():
            self._told.set_exception(exc)


def servers(root: Path) -> tuple[str, ...]:
    """Read the addresses of the name servers that a host below a root uses."""
    rows = (line.split() for line in (attributes.text(_real(root)) or "").splitlines())
    found = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
    return tuple(dict.fromkeys(each for each in found if _is_address(each)))[:_MOST]


def _real(root: Path) -> Path:
    """Follow links as the host does, for which they begin at its own root."""
    path = root / "etc/resolv.conf"
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / str(target).lstrip("/") if target.is_absolute() else path.parent / target
    return path


def _is_address(written: str) -> bool:
    try:
        ip_address(written)
    except ValueError:
        return False
    return True
