"""What happens on a real socket: what was surely not sent, what may have happened, who we are."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from nodehealth.kube import errors
from nodehealth.kube.credentials import Credentials
from nodehealth.kube.http import HttpTransport, renamed
from nodehealth.kube.transport import Request
from tests.nodehealth.kube.fakes import (
    Handler,
    Served,
    node,
    reset,
    saying,
    serving,
    silence,
    streaming,
)

GET = Request(method="GET", path="/api/v1/nodes", query={"labelSelector": "a in (b,c)"})
DELETE = Request(method="DELETE", path="/api/v1/nodes/a")
SOON = timedelta(seconds=5)
AT_ONCE = timedelta(milliseconds=150)


class Renewed(Credentials):
    """A token that was renewed while we used the old one."""

    async def headers(self, *, refused: bool = False) -> dict[str, str]:
        return {"authorization": "Bearer new" if refused else "Bearer old"}


class Lost(Credentials):
    """A token whose file was deleted while we used it."""

    async def headers(self, *, refused: bool = False) -> dict[str, str]:
        if refused:
            raise errors.SettingsError("token: expected a token, found none")
        return {"authorization": "Bearer old"}


async def asked(
    *handlers: Handler,
    request: Request = GET,
    deadline: timedelta = SOON,
    credentials: Credentials | None = None,
) -> tuple[int, bytes, Served]:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(*handlers))
        transport = HttpTransport(served.url + "/", credentials=credentials)
        await stack.enter_async_context(transport)
        async with transport.open(request, deadline=deadline) as response:
            return response.status, await response.read(), served


async def test_a_request_arrives_as_it_was_meant() -> None:
    status, body, served = await asked(saying(200, {"kind": "NodeList"}, odd="yes"))

    assert (status, body) == (200, b'{"kind": "NodeList"}')
    assert served.requests[0].path == "/api/v1/nodes"
    assert served.requests[0].query == {"labelSelector": "a in (b,c)"}


async def test_a_large_answer_comes_compressed() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert "gzip" in request.headers["accept-encoding"]
        response = web.json_response({"blanks": " " * 10**6})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    _, body, _ = await asked(handler)

    assert len(body) > 10**6


async def test_a_redirect_is_an_answer_and_our_token_follows_nobody() -> None:
    status, _, served = await asked(saying(302, "", location="/login"))

    assert (status, len(served.requests)) == (302, 1)


async def test_nothing_is_sent_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with HttpTransport(f"http://127.0.0.1:{port}") as transport:
        with pytest.raises(errors.UnreachableError, match="GET /api/v1/nodes"):
            async with transport.open(GET, deadline=SOON):
                pass


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    async with HttpTransport("http://no-such-host.invalid") as transport:
        with pytest.raises(errors.UnreachableError):
            async with transport.open(GET, deadline=SOON):
                pass


async def test_silence_after_the_request_leaves_its_outcome_open() -> None:
    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await silence(request)
        return web.Response()

    with pytest.raises(errors.OutcomeUnknownError, match=r"silent for 0\.15 s"):
        await asked(hang, deadline=AT_ONCE)


async def test_a_connection_that_breaks_leaves_the_outcome_open_and_is_not_used_again() -> None:
    sent = []

    async def broken(request: web.BaseRequest) -> web.StreamResponse:
        sent.append(request.method)
        await reset(request)
        return web.Response()

    with pytest.raises(errors.OutcomeUnknownError):
        await asked(broken, request=DELETE)

    assert sent == ["DELETE"]


async def test_a_stream_that_breaks_or_falls_silent_is_an_error() -> None:
    line = {"type": "ADDED", "object": node("a")}
    for ending in (reset, silence):
        with pytest.raises(errors.OutcomeUnknownError):
            await asked(streaming(line, then=ending), deadline=AT_ONCE)


async def test_a_stream_arrives_as_it_is_written() -> None:
    async with (
        serving(streaming({"n": 1}, then=silence)) as served,
        HttpTransport(served.url) as transport,
        transport.open(GET, deadline=SOON) as response,
    ):
        first = await anext(response.chunks())

    assert first == b'{"n": 1}\n'


async def test_a_token_that_is_refused_is_read_again_and_the_request_repeated() -> None:
    patch = Request(method="PATCH", path="/api/v1/nodes/a", body=b"{}")

    status, _, served = await asked(
        saying(401, {}), saying(200, {}), request=patch, credentials=Renewed()
    )

    assert status == 200
    tokens = [each.headers["authorization"] for each in served.requests]
    assert tokens == ["Bearer old", "Bearer new"]


async def test_a_refusal_that_no_newer_token_cures_is_an_answer() -> None:
    status, _, served = await asked(saying(401, {}))

    assert (status, len(served.requests)) == (401, 1)


async def test_a_refusal_after_which_no_token_is_found_leaves_no_connection_behind() -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(saying(401, {"why": "x" * 10**6})))
        transport = await stack.enter_async_context(HttpTransport(served.url, credentials=Lost()))
        with pytest.raises(errors.SettingsError, match="found none"):
            async with transport.open(GET, deadline=SOON):
                pass
        connector = transport._session.connector if transport._session else None

        assert isinstance(connector, aiohttp.TCPConnector)
        assert not connector._acquired


async def test_requests_share_connections() -> None:
    async with serving(saying(200, {})) as served, HttpTransport(served.url) as transport:
        for _ in range(5):
            async with transport.open(GET, deadline=SOON) as response:
                await response.read()

    assert len(served.peers) == 1


async def test_a_transport_that_was_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        async with HttpTransport("http://127.0.0.1").open(GET, deadline=SOON):
            pass


async def test_a_watch_that_is_left_closes_its_connection() -> None:
    gone = asyncio.Event()

    async def watched(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await streaming({"n": 1}, then=silence)(request)
        finally:
            gone.set()

    async with serving(watched) as served, HttpTransport(served.url) as transport:
        async with transport.open(GET, deadline=SOON) as response:
            await anext(response.chunks())
        async with asyncio.timeout(2):
            await gone.wait()


def every_error(of: type[Exception] = aiohttp.ClientError) -> Iterator[type[Exception]]:
    yield of
    for each in of.__subclasses__():
        yield from every_error(each)


@pytest.mark.parametrize("error", sorted(set(every_error()), key=str))
def test_every_error_of_aiohttp_has_a_name_of_ours(error: type[Exception]) -> None:
    before_sending = ("Connector", "ConnectionTimeout", "URL", "Url", "Fingerprint", "Proxy", "SSL")
    expected = any(word in error.__name__ for word in before_sending)

    assert (renamed(error) is errors.UnreachableError) == expected
