"""What a cluster asks every program over HTTP: its metrics, whether it lives, whether it is ready.

aiohttp.web costs a program that has aiohttp's client already 2 MiB of memory; measured, it is not
worth a server of our own.
"""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from nodehealth.kit.settings import SettingsError

logger = logging.getLogger(__name__)

Check: TypeAlias = Callable[[], str]
"""Returns why not, as a sentence; nothing at all when all is well."""

_LAST_ANSWERS: Final = 1.0
"""Seconds that answers under way may still take when the program ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen."""

    port: int
    """0 means any that is free."""
    host: str = ""
    """Empty means every address of the machine."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(text: str) -> Address:
    """Read `HOST:PORT`, `[HOST]:PORT` for IPv6, or `:PORT` for every address of the machine.

    Raises:
        nodehealth.kit.settings.SettingsError: the text is none of these.
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    good = colon and port.isascii() and port.isdigit() and int(port) < 2**16
    if not good or (":" in bare) != (f"[{bare}]" == host):
        raise SettingsError(f"listen: expected HOST:PORT, [HOST]:PORT or :PORT, got {text!r}")
    return Address(host=bare, port=int(port))


@contextlib.asynccontextmanager
async def serve(
    where: Address, *, registry: CollectorRegistry, healthy: Check, ready: Check
) -> AsyncIterator[Address]:
    """Answer `/metrics`, `/healthz` and `/readyz` within the context; give where we listen.

    Args:
        where: The address to listen on.
        registry: What `/metrics` tells.
        healthy: Why the program should be started anew, if it should.
        ready: Why the program can't do its work now, if it can't.

    Raises:
        nodehealth.kit.settings.SettingsError: the address can't be listened on.
    """
    app = web.Application()
    app.router.add_get("/metrics", _metrics(registry))
    app.router.add_get("/healthz", _answer(healthy))
    app.router.add_get("/readyz", _answer(ready))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LAST_ANSWERS)
    await runner.setup()
    try:
        await _listen(runner, where)
        host, port = runner.addresses[0][:2]
        bound = Address(host=str(host), port=int(port))
        logger.info("listens on %s for /metrics, /healthz and /readyz", bound)
        yield bound
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, where: Address) -> None:
    try:
        await web.TCPSite(runner, where.host or None, where.port).start()
    except OSError as refused:
        code = refused.errno or 0
        fact = os.strerror(code) if code > 0 else str(refused)  # below 0: no such host
        raise SettingsError(f"listen: cannot listen on {where}: {fact}") from refused


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        headers: Mapping[str, str] = {"Content-Type": kind}
        return web.Response(body=encode(registry), headers=headers)

    return handle


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        reason = check()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    return handle
