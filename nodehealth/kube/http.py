"""The transport over HTTP: one connection pool, TLS, tokens, deadlines."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Final, Self

import aiohttp
from yarl import URL

from nodehealth.kube import errors, status
from nodehealth.kube.credentials import Credentials, Fixed
from nodehealth.kube.transport import Request, Response, Transport

_BUFFER: Final = 2**18
_IDLE: Final = 30.0
"""Seconds; shorter than the API server and usual load balancers keep a connection that is idle."""

_NOTHING_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def renamed(error: type[Exception]) -> type[errors.UnavailableError]:
    """Name what an error of aiohttp means: connecting failed, or anything later did."""
    if issubclass(error, _NOTHING_SENT):
        return errors.UnreachableError
    return errors.OutcomeUnknownError


class HttpTransport(Transport):
    """Requests over HTTP, within `async with`.

    Args:
        url: Where the API server is, such as `https://10.0.0.1:443`.
        credentials: Who we are.
        tls: How to recognise the server, and our client certificate; None for plain HTTP.
        server_name: The name in the server's certificate, where it is not the URL's.
        proxy: The URL of an HTTP proxy to go through.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        proxy: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials = credentials or Fixed()
        self._tls = tls
        self._server_name = server_name
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0, ssl=self._tls if self._tls is not None else True, keepalive_timeout=_IDLE
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=_BUFFER
        )
        # aiohttp would send a PUT or DELETE again when a connection breaks; the caller decides.
        self._session._retry_connection = False  # noqa: SLF001 - there is no public switch
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request; a token that is refused is read again and the request sent anew."""
        headers = await self._credentials.headers()
        answer = await self._send(request, headers, deadline)
        try:
            if answer.status == 401:
                newer = await self._credentials.headers(refused=True)
                if newer != headers:
                    answer.close()
                    answer = await self._send(request, newer, deadline)
            yield HttpResponse(request, answer, deadline)
        finally:
            answer.release()  # a connection whose answer was not read to its end is closed

    async def _send(
        self, request: Request, headers: Mapping[str, str], deadline: timedelta
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("an HttpTransport is used within `async with`")
        seconds = deadline.total_seconds()
        with _renaming(request, deadline):
            async with asyncio.timeout(seconds):
                return await self._session.request(
                    request.method,
                    URL(self.url + request.path, encoded=True).with_query(request.query),
                    data=request.body or None,
                    headers={**request.headers, **headers},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=seconds / 2),
                    server_hostname=self._server_name,
                    proxy=self._proxy,
                )


class HttpResponse(Response):
    """An answer that is arriving."""

    def __init__(
        self, request: Request, answer: aiohttp.ClientResponse, deadline: timedelta
    ) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        self._chunks = Chunks(request, answer.content, deadline)

    async def read(self) -> bytes:
        """Return the whole body."""
        return b"".join([chunk async for chunk in self._chunks])

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        return self._chunks


class Chunks(AsyncIterator[bytes]):
    """A body's parts, each awaited no longer than the deadline."""

    def __init__(
        self, request: Request, content: aiohttp.StreamReader, deadline: timedelta
    ) -> None:
        self._request, self._content, self._deadline = request, content, deadline

    async def __anext__(self) -> bytes:
        with _renaming(self._request, self._deadline):
            async with asyncio.timeout(self._deadline.total_seconds()):
                chunk = await self._content.readany()
        if not chunk:
            raise StopAsyncIteration
        return chunk


@contextlib.contextmanager
def _renaming(request: Request, deadline: timedelta) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        late = f"silent for {deadline.total_seconds():g} s" if _is_late(error) else ""
        text = status.said(request, late or f"{type(error).__name__}: {error}")
        raise renamed(type(error))(text) from error


def _is_late(error: Exception) -> bool:
    return isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)
