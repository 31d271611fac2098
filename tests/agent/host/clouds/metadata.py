"""Metadata services as clouds run them, on the loopback: they refuse what is not asked rightly.

Sources are the clouds' own documents: the headers, the codes and the shapes of the answers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[Any], Awaitable[web.StreamResponse]]
"""Takes a request; aiohttp's server says of which kind only at the end."""
Document = tuple[int, str]


@dataclass(slots=True, kw_only=True)
class Metadata:
    """One service: its documents by path, and who asked for what."""

    documents: dict[str, Document] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    date: str = "Thu, 01 Jan 2026 12:00:00 GMT"

    def say(self, path: str, body: str, status: int = 200) -> None:
        """Let the service say this from now on."""
        self.documents[path] = status, body

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.asked.append(f"{request.method} {request.path_qs}")
        if "X-Forwarded-For" in request.headers:
            return web.Response(status=403)
        answer = await self.respond(request)
        answer.headers.setdefault("Date", self.date)
        return answer

    async def respond(self, request: web.Request) -> web.Response:
        """Answer one request that came straight to us."""
        return self.document(request.path)

    def document(self, path: str) -> web.Response:
        """Return a document, or that there is none."""
        status, body = self.documents.get(path, (404, "<html>404 - Not Found</html>"))
        return web.Response(status=status, text=body)


@dataclass(slots=True, kw_only=True)
class Imds(Metadata):
    """That of EC2, with IMDSv2 required."""

    tokens: set[str] = field(default_factory=set)
    given: int = 0

    def data(self, path: str, body: str, status: int = 200) -> None:
        """Let it say this of the instance."""
        self.say(f"/latest/meta-data{path}", body, status)

    def forget(self) -> None:
        """Take no token any more that was given before."""
        self.tokens.clear()

    async def respond(self, request: web.Request) -> web.Response:
        """Give tokens to who asks for them, and documents to who shows one."""
        if request.path == "/latest/api/token":
            return self.token(request)
        if request.method != "GET":
            return web.Response(status=405)
        if request.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return web.Response(status=401, text="<html>401 - Unauthorized</html>")
        return self.document(request.path)

    def token(self, request: web.Request) -> web.Response:
        """Give a token for 1 s to 6 h."""
        seconds = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return web.Response(status=405)
        if not seconds.isdecimal() or not 1 <= int(seconds) <= 21600:
            return web.Response(status=400)
        self.given += 1
        token = f"AQAEA-{self.given}=="
        self.tokens.add(token)
        life = {"X-aws-ec2-metadata-token-ttl-seconds": seconds}
        return web.Response(text=token, headers=life)


@dataclass(slots=True, kw_only=True)
class Compute(Metadata):
    """That of Google Compute Engine."""

    def instance(self, path: str, body: str, status: int = 200) -> None:
        """Let it say this of the instance."""
        self.say(f"/computeMetadata/v1/instance{path}", body, status)

    async def respond(self, request: web.Request) -> web.Response:
        """Answer who knows our flavor."""
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403)
        answer = self.document(request.path)
        answer.headers["Metadata-Flavor"] = "Google"
        return answer


@dataclass(slots=True, kw_only=True)
class Instance(Metadata):
    """That of Azure."""

    name: str = "aks-gpu-1_3"

    async def respond(self, request: web.Request) -> web.Response:
        """Answer who says that it means metadata, and of which version."""
        versioned = "api-version" in request.query
        if request.headers.get("Metadata") != "true" or not versioned:
            return web.Response(status=400, text='{"error": "Bad request"}')
        if request.path == "/metadata/instance/compute/name":
            return web.Response(text=self.name)
        return self.document(request.path)


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """Serve on the loopback, and give the URL."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site_url(runner)
    finally:
        await runner.cleanup()


def site_url(runner: web.ServerRunner) -> str:
    """Return where it listens."""
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
