"""Bytes to typed values: single objects, pages of a list, the lines of a watch."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.json import Decoder

from nodehealth.kube import errors, status
from nodehealth.kube.objects import Metadata, Object, Resource, Struct, T
from nodehealth.kube.transport import Request

logger = logging.getLogger(__name__)


class EventType(StrEnum):
    """What a watch says happened; an ERROR is raised, never yielded."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


_EVENT_TYPES: Final = frozenset(EventType)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One change; a bookmark has no object, and neither has one that does not fit its type."""

    type: EventType
    metadata: Metadata
    object: T | None


class PageMetadata(Struct, frozen=True, kw_only=True):
    """Where a list stands, and how to ask for its next page."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list; an empty list is `null` when Go writes it."""

    kind: str = ""
    metadata: PageMetadata = PageMetadata()
    items: list[Item] | None = None


class _Event(Struct, frozen=True, kw_only=True):
    type: str
    object: msgspec.Raw


class _Version(Struct, frozen=True, kw_only=True):
    major: str
    minor: str
    """Some distributions add a plus."""


class Lines:
    """Cuts a stream that comes in chunks into its lines, however long."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that a chunk completes."""
        *complete, tail = chunk.split(b"\n")
        for part in complete:
            line = b"".join((*self._begun, part))
            self._begun.clear()
            yield line
        if tail:
            self._begun.append(tail)

    def end(self) -> Iterator[bytes]:
        """Yield what stands after the last line break."""
        if self._begun:
            yield b"".join(self._begun)


@cache
def _decoder(kind: Any) -> Decoder[Any]:  # noqa: ANN401 - JSON enters here
    return Decoder(kind)


def read(resource: Resource[T], request: Request, body: bytes) -> T:
    """Read the object that a request returned.

    Raises:
        nodehealth.kube.errors.UnreadableError: it is an object, but does not fit its type.
        nodehealth.kube.errors.UnavailableError: it is not what the API server would answer.
    """
    found: T = _of_kind(resource, resource.type, request, body)
    return found


def read_version(request: Request, body: bytes) -> tuple[int, int]:
    """Read the server's version.

    Raises:
        nodehealth.kube.errors.KubeError: it says none.
    """
    found: _Version = _decode(_Version, request, body)
    minor = found.minor.rstrip("+")
    if not (found.major.isdecimal() and minor.isdecimal()):
        raise _stranger(request, body)
    return int(found.major), int(minor)


def read_page(
    resource: Resource[T], request: Request, body: bytes
) -> tuple[Page[T], tuple[str, ...]]:
    """Read a page of a list, and name the objects that do not fit their type: they are left out.

    One object that a newer version wrote must not blind us to all others.
    """
    whole: Page[T]
    left_out = list[str]()
    try:
        whole = _decode(Page[resource.type], request, body)  # type: ignore[name-defined]  # the type is a value here
    except errors.UnreadableError:
        raw: Page[msgspec.Raw] = _decode(Page[msgspec.Raw], request, body)
        readable = list[T]()
        for item in raw.items or ():
            found = _readable(resource, item)
            if isinstance(found, str):
                left_out.append(found)
            else:
                readable.append(found)
        whole = Page(kind=raw.kind, metadata=raw.metadata, items=readable)
    if not whole.kind.endswith("List"):
        raise _stranger(request, body)
    return whole, tuple(left_out)


def read_event(resource: Resource[T], request: Request, line: bytes) -> WatchEvent[T]:
    """Read one line of a watch.

    Raises:
        nodehealth.kube.errors.KubeError: the line is an ERROR event, or no event at all.
    """
    event: _Event = _decode(_Event, request, line)
    if event.type == "ERROR":
        raise _named(request, bytes(event.object))
    if event.type not in _EVENT_TYPES:
        raise _stranger(request, line)
    kind = EventType(event.type)
    if kind is EventType.BOOKMARK:  # of a kind with required fields it is no valid object
        bookmark: Object = _of_kind(resource, Object, request, bytes(event.object))
        return WatchEvent(kind, bookmark.metadata, None)
    try:
        found = read(resource, request, bytes(event.object))
    except errors.UnreadableError as misfit:
        bare: Object = _of_kind(resource, Object, request, bytes(event.object))
        logger.warning("%s %s is left out: %s", resource.kind, bare.metadata.name, misfit)
        return WatchEvent(kind, bare.metadata, None)
    return WatchEvent(kind, found.metadata, found)


def _readable(resource: Resource[T], raw: msgspec.Raw) -> T | str:
    """Return an object, or say which one does not fit its type."""
    try:
        found: T = _decoder(resource.type).decode(raw)
    except msgspec.ValidationError as misfit:
        name: str = _decoder(Object).decode(raw).metadata.name
        logger.warning("%s %s is left out, it does not fit: %s", resource.kind, name, misfit)
        return f"{resource.kind} {name}"
    return found


def _of_kind(resource: Resource[T], kind: Any, request: Request, body: bytes) -> Any:  # noqa: ANN401 - JSON enters here
    found = _decode(kind, request, body)
    if found.kind != resource.kind:
        raise _stranger(request, body)
    return found


def _decode(kind: Any, request: Request, body: bytes) -> Any:  # noqa: ANN401 - JSON enters here
    try:
        return _decoder(kind).decode(body)
    except msgspec.ValidationError as misfit:
        raise errors.UnreadableError(status.said(request, f"unreadable: {misfit}")) from misfit
    except msgspec.DecodeError as garbage:
        raise _stranger(request, body) from garbage


def _named(request: Request, body: bytes) -> errors.KubeError:
    found = status.read(body)
    return (
        _stranger(request, body)
        if found is None
        else status.meaning(request, found.code, found, {})
    )


def _stranger(request: Request, body: bytes) -> errors.UnavailableError:
    begun = body[:200].decode(errors="replace")
    text = status.said(request, f"not the API server's answer: {begun}")
    read_only = request.method == "GET"
    return errors.UnavailableError(text) if read_only else errors.OutcomeUnknownError(text)
