"""API servers that behave, or misbehave as they are told: in this process, and over a socket."""

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, TypeAlias

from aiohttp import web

from nodehealth.kube.errors import OutcomeUnknownError, UnreachableError
from nodehealth.kube.transport import Request, Response, Transport

DICE = Random(7)
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"


class Answer(Response):
    """An answer that is known beforehand, arriving in pieces."""

    def __init__(
        self,
        status: int,
        body: object = b"",
        *,
        headers: Mapping[str, str] | None = None,
        piece: int = 2**16,
    ) -> None:
        self.status = status
        self.headers = {"date": DATE, **(headers or {})}
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._piece = piece

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(self._body), self._piece):
            yield self._body[start : start + self._piece]


class Scripted(Transport):
    """Answers one request after the other with what it was given, and remembers the requests."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.asked: list[Request] = []
        self.deadlines: list[timedelta] = []
        self._answers = list(answers)

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        self.asked.append(request)
        self.deadlines.append(deadline)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield answer

    def body(self, at: int = -1) -> object:
        """Return what was sent."""
        return json.loads(self.asked[at].body)


def failure(code: int, reason: str = "", message: str = "", **details: object) -> Answer:
    """Answer as the API server does when it refuses."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    told = {"message": message, "reason": reason, "details": details, "code": code}
    return Answer(code, {**status, **told})


@dataclass
class Shelf(Transport):
    """Keeps objects as the API server does: one version for each write, stale writes refused."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    refuses: bool = False
    """Nothing gets through to it."""
    hangs: bool = False
    """It takes requests and never answers."""
    loses_answers: bool = False
    """It does what is asked, and the answer is lost."""
    dawdles: bool = False
    """It does what is asked long after everybody gave up on it."""

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        if self.refuses:
            raise UnreachableError("connection refused")
        if self.dawdles:
            asyncio.get_running_loop().call_later(7, self._answer, request)
        if self.hangs or self.dawdles:
            await asyncio.sleep(deadline.total_seconds())
            raise OutcomeUnknownError("silence")
        answer = self._answer(request)
        if self.loses_answers:
            raise OutcomeUnknownError("reset")
        yield answer

    def edit(self, path: str, change: Mapping[str, Any]) -> None:
        """Change an object behind everybody's back."""
        self._store(path, merged(self.objects[path], change))

    def _answer(self, request: Request) -> Answer:
        path, body = request.path, json.loads(request.body or b"null")
        if request.method == "POST":
            return self._create(f"{path}/{body['metadata']['name']}", body)
        if path not in self.objects:
            return failure(404, "NotFound")
        if request.method == "PATCH":
            expected = body.get("metadata", {}).get("resourceVersion")
            if expected not in {None, self.objects[path]["metadata"]["resourceVersion"]}:
                return failure(409, "Conflict")
            return self._store(path, merged(self.objects[path], body))
        return Answer(200, self.objects[path])

    def _create(self, path: str, body: dict[str, Any]) -> Answer:
        if path in self.objects:
            return failure(409, "AlreadyExists")
        return self._store(path, body)

    def _store(self, path: str, body: dict[str, Any]) -> Answer:
        version = {"resourceVersion": str(next(self.versions))}
        self.objects[path] = {**body, "metadata": {**body["metadata"], **version}}
        return Answer(200, self.objects[path])


def merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as RFC 7386 says."""
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            new[key] = merged(new.get(key) or {}, value)
        else:
            new[key] = value
    return new


Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Served:
    """A server on a socket; each request goes to the next handler, the last one stays."""

    handlers: list[Handler] = field(default_factory=list)
    requests: list[web.BaseRequest] = field(default_factory=list)
    url: str = ""
    peers: set[object] = field(default_factory=set)
    """The connections by which requests came."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Give a request to its handler."""
        await request.read()
        self.requests.append(request)
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        return await handler(request)


@contextlib.asynccontextmanager
async def serving(*handlers: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """Serve on a free port of the loopback."""
    served = Served(handlers=list(handlers))
    server = web.Server(served.answer, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield served
    finally:
        await runner.cleanup()


def saying(
    status: int, body: object, *, content_type: str = "application/json", **headers: str
) -> Handler:
    """Answer every request the same."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)

    return handler


def streaming(
    *lines: object, then: Callable[[web.BaseRequest], Awaitable[None]] | None = None
) -> Handler:
    """Answer a watch with lines, and then do something before the connection ends."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        if then is not None:
            await then(request)
        return response

    return handler


async def reset(request: web.BaseRequest) -> None:
    """Break the connection in the middle."""
    if request.transport is not None:
        request.transport.abort()


async def silence(_: web.BaseRequest) -> None:
    """Say nothing until the client goes away."""
    await asyncio.sleep(60)


def node(name: str, version: int = 1, uid: str = "u", **more: object) -> dict[str, object]:
    """Write a Node as a watch would."""
    metadata = {"name": name, "uid": f"{uid}-{name}", "resourceVersion": str(version)}
    return {"kind": "Node", "apiVersion": "v1", "metadata": metadata, **more}


def nodes(*items: dict[str, object], version: int = 1, after: str = "") -> dict[str, object]:
    """Write a page of Nodes; the server sends items without their kind, and none as null."""
    bare = [{key: item[key] for key in item if key not in {"kind", "apiVersion"}} for item in items]
    metadata = {"resourceVersion": str(version), **({"continue": after} if after else {})}
    return {"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": bare or None}


def event(kind: str, what: object) -> dict[str, object]:
    """Write a line of a watch."""
    return {"type": kind, "object": what}
