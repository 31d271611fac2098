"""The API server on a loopback socket: HTTP, or HTTPS with a certificate made for the occasion."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from nodehealth.kube.errors import UnavailableError
from nodehealth.kube.transport import Request
from simulator.api.answers import Answer
from simulator.api.calls import ADMIN
from simulator.api.server import ApiServer

logger = logging.getLogger(__name__)

_LARGEST_BODY: Final = 3 * 2**20
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a server listens."""

    url: str
    authority: Path | None = None
    """The certificate to trust it by, if it speaks HTTPS."""


@asynccontextmanager
async def serve(
    api: ApiServer, *, port: int = 0, certificate: tuple[Path, Path] | None = None
) -> AsyncIterator[Served]:
    """Serve on a port of the loopback address; a free one if none is named.

    A certificate and its key, as made by `certificates.make`, turn on HTTPS. Over plain HTTP a
    request without a token is the administrator's, because kubectl and every other client-go
    program send tokens over TLS only; a wrong token is refused either way.
    """
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", _handler(api, trusting=certificate is None))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _HOST, port, ssl_context=await _tls(certificate))
        await site.start()
        bound = runner.addresses[0][1]
        scheme = "http" if certificate is None else "https"
        authority = None if certificate is None else certificate[0]
        yield Served(url=f"{scheme}://{_HOST}:{bound}", authority=authority)
    finally:
        api.watches.cut(lambda _call: True)
        await runner.cleanup()


async def _tls(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(context.load_cert_chain, *certificate)
    return context


def _handler(
    api: ApiServer, *, trusting: bool
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(incoming: web.Request) -> web.StreamResponse:
        request = Request(
            method=incoming.method,
            path=incoming.path,
            query=dict(incoming.query),
            headers={name.lower(): value for name, value in incoming.headers.items()},
            body=await incoming.read(),
        )
        unknown = "authorization" not in request.headers
        try:
            answer = await api.handle(request, ADMIN if trusting and unknown else None)
        except UnavailableError:
            return _break(incoming)
        return await _send(incoming, answer)

    return handle


def _break(incoming: web.Request) -> web.StreamResponse:
    """Cut the connection as a server that dies would."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)


async def _send(incoming: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    if answer.length is not None:
        response.content_length = answer.length
    async with aclosing(answer.chunks()) as pieces:
        try:
            await response.prepare(incoming)
            async for piece in pieces:
                await response.write(piece)
            await response.write_eof()
        except ConnectionResetError:
            logger.debug("%s %s: the client left early", incoming.method, incoming.path)
    return response
