"""One request is asked without proxies and redirects, and an answer has its bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from agent.host.clouds import exchange
from agent.host.clouds.exchange import MOST, Answer, UnclearError
from tests.agent.host.clouds.metadata import Handler, served

LONG = timedelta(seconds=10)
SOON = timedelta(seconds=0.2)


async def asked(handler: Handler, path: str = "/x") -> Answer:
    async with served(handler) as url:
        return await exchange.ask(f"{url}{path}", patience=LONG, headers={"A": "b"})


async def unclear(raw: bytes) -> str:
    """Return why nothing follows from what somebody answers."""
    async with saying(raw) as url:
        with pytest.raises(UnclearError) as why:
            await exchange.ask(url, patience=LONG, headers={})
    return str(why.value)


@asynccontextmanager
async def saying(raw: bytes) -> AsyncIterator[str]:
    """Answer every request with these bytes, and hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def parsed(raw: bytes) -> Answer:
    reader = asyncio.StreamReader(limit=8192)
    reader.feed_data(raw)
    reader.feed_eof()
    return await exchange.read(reader)


async def test_what_a_service_says_is_returned() -> None:
    async def handler(request: web.Request) -> web.Response:
        said = f"{request.method} {request.path_qs} {request.headers['A']}"
        return web.Response(status=418, text=said, headers={"X-Kind": "Tea"})

    answer = await asked(handler, "/pot?size=2")

    assert (answer.status, answer.body) == (418, b"GET /pot?size=2 b")
    assert answer.headers["x-kind"] == "Tea"


async def test_an_answer_in_chunks_is_put_together() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for each in (b"one ", b"two ", b"three"):
            await answer.write(each)
        return answer

    assert (await asked(handler)).body == b"one two three"


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert (await asked(handler)).status == 302
    assert seen == ["/x"]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="straight")

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await asked(handler)).body == b"straight"


async def test_a_service_that_is_slow_is_not_waited_for() -> None:
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with served(handler) as url:
        with pytest.raises(UnclearError, match="timeout"):
            await exchange.ask(url, patience=SOON, headers={})
        over.set()


async def test_a_service_that_drips_is_not_waited_for_either() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        for _ in range(1000):
            await answer.write(b".")
            await asyncio.sleep(0.05)
        return answer

    async with served(handler) as url:
        with pytest.raises(UnclearError, match="timeout"):
            await exchange.ask(url, patience=SOON, headers={})


async def test_a_port_where_nobody_listens_refuses() -> None:
    async with saying(b"") as url:
        gone = url

    with pytest.raises(UnclearError, match="refused"):
        await exchange.ask(gone, patience=LONG, headers={})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST + 1),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ffff\r\n" + b"x" * 65535 + b"\r\nff\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 65 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_broken(raw: bytes) -> None:
    assert await unclear(raw) == "broken answer"


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    assert (await parsed(b"HTTP/1.0 200 OK\r\n\r\nall of it")).body == b"all of it"


async def test_a_longest_body_is_taken_whole() -> None:
    assert len((await parsed(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MOST)).body) == MOST


async def test_the_services_clock_is_read() -> None:
    answer = await parsed(b"HTTP/1.1 204 No\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n\r\n")

    assert answer.at == datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("21 Jan 2019 09:00:43 GMT", datetime(2019, 1, 21, 9, 0, 43, tzinfo=UTC)),
        ("Mon, 19 Sep 2016 18:29:47 GMT", datetime(2016, 9, 19, 18, 29, 47, tzinfo=UTC)),
        ("21 Jan 2019 09:00:43", None),
        ("2019-01-21T09:00:43Z", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_of_mail_is_read(text: str, time: datetime | None) -> None:
    assert exchange.rfc2822(text) == time


@given(st.text())
def test_no_text_of_a_time_is_ever_more_than_none(text: str) -> None:
    time = exchange.rfc2822(text)

    assert time is None or time.tzinfo is not None


@given(
    st.binary(max_size=400),
    st.sampled_from(
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    ),
)
def test_whatever_comes_is_an_answer_or_is_none(raw: bytes, start: bytes) -> None:
    async def read() -> None:
        try:
            answer = await parsed(start + raw)
        except (ValueError, asyncio.IncompleteReadError):
            return
        assert 0 <= answer.status <= 999
        assert len(answer.body) <= MOST

    asyncio.run(read())


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_chunks_are_what_was_cut(parts: list[bytes]) -> None:
    chunks = b"".join(b"%x;e=1\r\n%s\r\n" % (len(each), each) for each in parts)
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    assert asyncio.run(parsed(raw)).body == b"".join(parts)
