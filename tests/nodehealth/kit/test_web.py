"""Metrics, health and readiness are answered on one address, and nothing else is."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from nodehealth.kit import web
from nodehealth.kit.settings import SettingsError
from nodehealth.kit.web import Address, Check

LOOPBACK = Address(host="127.0.0.1", port=0)


def well() -> str:
    return ""


def serving(
    where: Address = LOOPBACK,
    *,
    healthy: Check = well,
    ready: Check = well,
    registry: CollectorRegistry | None = None,
) -> AbstractAsyncContextManager[Address]:
    """Serve, on a free port of the loopback address if no other is named."""
    known = registry or CollectorRegistry()
    return web.serve(where, registry=known, healthy=healthy, ready=ready)


async def asked(bound: Address, path: str, *, accept: str = "*/*") -> tuple[int, str, str]:
    """Ask for a path, and return the answer's status, kind and text."""
    headers = {"Accept": accept}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{bound}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_the_metrics_are_those_of_the_registry_that_was_given() -> None:
    registry = CollectorRegistry()
    Counter("nodemend_tests", "Tests.", registry=registry).inc(3)

    async with serving(registry=registry) as bound:
        _, _, told = await asked(bound, "/metrics")

    assert "nodemend_tests_total 3.0" in told
    assert "python_info" not in told


async def test_who_reads_openmetrics_is_given_it() -> None:
    async with serving() as bound:
        accept = "application/openmetrics-text; version=1.0.0"
        _, kind, told = await asked(bound, "/metrics", accept=accept)

    assert kind.startswith("application/openmetrics-text")
    assert told.endswith("# EOF\n")


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
