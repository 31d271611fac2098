"""What a container runtime says over the CRI, as far as its own health goes."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import grpc
from agent.host.grpc import DeclinedError

RUNTIME_READY: Final = "RuntimeReady"
NETWORK_READY: Final = "NetworkReady"

_RUNTIME: Final = "/runtime.v1.RuntimeService"
_IMAGES: Final = "/runtime.v1.ImageService"
_CREATED: Final = 0
"""The state of a container that was made and not started; protocol buffers leave zeros out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One of the runtime's own conditions."""

    is_true: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What runs, and how long it took to say so."""

    seconds: float
    oldest_unstarted: int | None
    """When the container was made that waits longest to be started, in ns since 1970."""


def there(root: Path, sockets: Iterable[str]) -> str | None:
    """Find the first of some sockets that the host has."""
    return next((each for each in sockets if (root / each.lstrip("/")).is_socket()), None)


async def conditions(socket: str) -> dict[str, Condition]:
    """Read the runtime's conditions by their types."""
    answer = await _ask(socket, f"{_RUNTIME}/Status")
    found = {}
    for status in _parts(answer, 1):
        for each in _parts(status, 1):
            said = dict(grpc.fields(each))
            found[_text(said.get(1))] = Condition(
                is_true=bool(said.get(2)), reason=_text(said.get(3))
            )
    return found


async def listing(socket: str) -> Listing:
    """List sandboxes and containers, as the kubelet does to see what became of them."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await _ask(socket, f"{_RUNTIME}/ListPodSandbox")
    answer = await _ask(socket, f"{_RUNTIME}/ListContainers")
    seconds = loop.time() - begun
    unstarted = [each for each in map(_unstarted, _parts(answer, 1)) if each]
    return Listing(seconds=seconds, oldest_unstarted=min(unstarted, default=None))


async def image_mounts(socket: str) -> tuple[str, ...]:
    """Read in which folders of the host the images lie."""
    answer = await _ask(socket, f"{_IMAGES}/ImageFsInfo")
    return tuple(
        _text(dict(grpc.fields(name)).get(1))
        for usage in _parts(answer, 1)
        for name in _parts(usage, 2)
    )


async def _ask(socket: str, method: str) -> bytes:
    try:
        return await grpc.ask(socket, method)
    except (OSError, asyncio.IncompleteReadError) as broken:
        raise DeclinedError from broken


def _unstarted(container: bytes) -> int | None:
    """Return when a container was made, if it was not started."""
    said = dict(grpc.fields(container))
    made = said.get(7)
    return made if said.get(6, _CREATED) == _CREATED and isinstance(made, int) else None


def _parts(message: bytes, number: int) -> Iterator[bytes]:
    return (
        value
        for field, value in grpc.fields(message)
        if field == number and isinstance(value, bytes)
    )


def _text(value: int | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""
