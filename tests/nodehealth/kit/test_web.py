"""Metrics, health and readiness are answered on one address, and nothing else is."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from nodehealth.kit import web
from nodehealth.kit.settings import SettingsError
from nodehealth.kit.web import Address, Check, Metrics

LOOPBACK = Address(host="127.0.0.1", port=0)
HEALTHZ = b"GET /healthz HTTP/1.1\r\n\r\n"


def well() -> str:
    return ""


def nothing(_: str) -> tuple[bytes, str]:
    return b"", "text/plain"


def serving(
    where: Address = LOOPBACK,
    *,
    metrics: Metrics = nothing,
    healthy: Check = well,
    ready: Check = well,
    patience: float = 10.0,
) -> AbstractAsyncContextManager[Address]:
    """Serve, on a free port of the loopback address if no other is named."""
    return web.serve(where, metrics=metrics, healthy=healthy, ready=ready, patience=patience)


async def asked(bound: Address, path: str, *, accept: str = "*/*") -> tuple[int, str, str]:
    """Ask for a path, and return the answer's status, kind and text."""
    headers = {"Accept": accept}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{bound}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def said(bound: Address, question: bytes) -> bytes:
    """Return all that is answered to some bytes; nothing where the connection is cut."""
    reader, writer = await asyncio.open_connection(bound.host, bound.port)
    writer.write(question)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_the_metrics_are_told_in_the_format_that_is_accepted() -> None:
    def metrics(accepted: str) -> tuple[bytes, str]:
        return f"nodemend_tests 3 # {accepted}\n".encode(), "text/x"

    async with serving(metrics=metrics) as bound:
        status, kind, told = await asked(bound, "/metrics?name=x", accept="text/x, */*")

    assert (status, kind, told) == (200, "text/x", "nodemend_tests 3 # text/x, */*\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_all_is_well_when_nothing_is_said_against_it(path: str) -> None:
    async with serving() as bound:
        status, _, told = await asked(bound, path)

    assert (status, told) == (200, "ok\n")


async def test_a_reason_makes_the_answer_no_and_is_told() -> None:
    async with serving(ready=lambda: "the copy of nodes is not complete") as bound:
        status, _, told = await asked(bound, "/readyz")
        alive, _, _ = await asked(bound, "/healthz")

    assert (status, told) == (503, "the copy of nodes is not complete\n")
    assert alive == 200


@pytest.mark.parametrize("path", ["/", "/debug", "/metrics/"])
async def test_nothing_else_is_served(path: str) -> None:
    async with serving() as bound:
        status, _, _ = await asked(bound, path)

    assert status == 404


@pytest.mark.parametrize(
    ("question", "status"),
    [
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"GET /healthz\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\xff\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET /healthz HTTP/1.0\r\nHost\r\n\r\n", b"HTTP/1.1 200 OK"),
    ],
)
async def test_a_question_is_answered_by_what_it_is(question: bytes, status: bytes) -> None:
    async with serving() as bound:
        answer = await said(bound, question)

    assert answer.split(b"\r\n")[0] == status


async def test_who_asks_for_the_head_is_told_the_length_alone() -> None:
    async with serving() as bound:
        answer = await said(bound, b"HEAD /healthz HTTP/1.1\r\n\r\n")

    assert b"\r\nContent-Length: 3\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("question", [b"GET /" + b"x" * 100_000, b"GET /healthz HTTP/1.1\r\n"])
async def test_who_asks_at_length_or_not_to_the_end_keeps_nobody_from_being_answered(
    question: bytes,
) -> None:
    async with serving() as bound:
        _, writer = await asyncio.open_connection(bound.host, bound.port)
        writer.write(question)
        status, _, _ = await asked(bound, "/healthz")
        writer.transport.abort()

    assert status == 200


async def test_clients_beyond_many_are_turned_away_until_others_are_gone() -> None:
    async with serving() as bound:
        waiting = [await asyncio.open_connection(bound.host, bound.port) for _ in range(64)]
        turned_away = await said(bound, HEALTHZ)
        for _, writer in waiting:
            writer.transport.abort()
        await asyncio.sleep(0.1)
        answered = await said(bound, HEALTHZ)

    assert turned_away == b""
    assert answered.startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_says_nothing_is_let_go_after_a_while() -> None:
    async with serving(patience=0.05) as bound, asyncio.timeout(5):
        assert await said(bound, b"GET ") == b""


async def test_a_port_that_is_taken_is_named() -> None:
    async with serving() as bound:
        with pytest.raises(SettingsError) as caught:
            async with serving(bound):
                pass

    assert str(caught.value) == f"listen: cannot listen on {bound}: Address already in use"


async def test_afterwards_the_port_is_free_again_even_for_who_kept_a_connection() -> None:
    async with aiohttp.ClientSession() as session:
        async with serving() as bound, session.get(f"http://{bound}/healthz") as answer:
            await answer.read()
        async with asyncio.timeout(5), serving(bound):
            pass


async def test_without_a_host_every_address_is_listened_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving(Address(port=port)) as bound:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()

    assert bound.port == port


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [(":8080", "", 8080), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:9100", "::1", 9100)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert web.address(text) == Address(host=host, port=port)
    assert str(web.address(text)) == text


@pytest.mark.parametrize("text", ["", "8080", "host:", "host:x", ":70000", "::1:80", "[::1]", ":²"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(SettingsError, match=r"listen: expected HOST:PORT"):
        web.address(text)
