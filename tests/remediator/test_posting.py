"""A letter is delivered, refused for what it says, or not delivered; never anything else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from nodehealth.kit import clocks
from remediator import posting
from remediator.sinks import DeliveryError, RefusedError


@asynccontextmanager
async def answering(status: int, text: str = "") -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve one answer to every POST; give the URL, and what arrived there."""
    arrived = list[bytes]()

    async def handle(request: web.Request) -> web.Response:
        arrived.append(await request.read())
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/hook?token=secret", arrived
    finally:
        await runner.cleanup()


async def test_what_is_accepted_is_delivered() -> None:
    async with answering(202) as (url, arrived), posting.outside(clocks.wall) as outside:
        await outside.post(url, b"body", {"X-A": "b"})

    assert arrived == [b"body"]


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500])
async def test_what_may_be_accepted_later_is_not_delivered(status: int) -> None:
    async with answering(status, "no") as (url, _), posting.outside(clocks.wall) as outside:
        with pytest.raises(DeliveryError, match=f"expected 2xx, got {status} no") as caught:
            await outside.post(url, b"", {})

    assert not isinstance(caught.value, RefusedError)
    assert "secret" not in str(caught.value)


async def test_what_will_never_be_understood_is_refused() -> None:
    async with answering(400, "bad") as (url, _), posting.outside(clocks.wall) as outside:
        with pytest.raises(RefusedError, match="expected 2xx, got 400 bad"):
            await outside.post(url, b"", {})


async def test_where_nobody_listens_nothing_is_delivered() -> None:
    async with answering(200) as (url, _):
        pass
    async with posting.outside(clocks.wall) as outside:
        with pytest.raises(DeliveryError, match="ClientConnectorError") as caught:
            await outside.post(url, b"", {})

    assert "secret" not in str(caught.value)


async def test_a_line_is_written_to_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    await posting.write("ALERT\n")

    assert capsys.readouterr().out == "ALERT\n"
