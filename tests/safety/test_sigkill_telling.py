"""The real program, killed between telling people and writing it down, tells them all the same."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from nodehealth.kit import clocks, signing
from simulator import scenario
from simulator.cluster import Cluster
from tests.safety.test_sigkill import PATIENCE, PLAN, POLICY, RULE, remediator

SECRET = b"hush"
ALERTS = """
  alerts:
    receivers:
      - {{name: hanging, webhook: {{url: "{url}/hanging"}}}}
      - {{name: people, webhook: {{url: "{url}/people", secretFile: {secret}}}}}
"""


@dataclass(slots=True, kw_only=True)
class People:
    """Who listens, and may kill who speaks."""

    url: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    once_heard: Callable[[], None] = lambda: None

    async def hear(self, request: web.Request) -> web.Response:
        """Take a message in, and answer after whatever is to happen before."""
        body = await request.read()
        self.refusals.append(signing.refusal(body, SECRET, request.headers, clocks.wall()))
        self.heard.extend(msgspec.json.decode(body)["alerts"])
        self.once_heard()
        return web.Response()

    async def hang(self, _: web.Request) -> web.Response:
        """Never answer."""
        await asyncio.Event().wait()
        return web.Response()

    def states(self) -> list[str]:
        """Return the states that were heard, in order."""
        return [each["state"] for each in self.heard]

    async def until(self, *states: str) -> None:
        """Wait until these states were heard."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if self.states() == list(states):
                    return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def listening() -> AsyncIterator[People]:
    """Listen on a free port."""
    people = People()
    app = web.Application()
    app.router.add_post("/people", people.hear)
    app.router.add_post("/hanging", people.hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        people.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield people
    finally:
        await runner.cleanup()


def written(folder: Path, url: str) -> Path:
    """Write rules and a policy whose alerts go to a URL."""
    rules, secret = folder / "rules", folder / "secret"
    rules.mkdir()
    secret.write_bytes(SECRET)
    (rules / "full.yaml").write_text(RULE)
    (rules / "policy.yaml").write_text(POLICY + ALERTS.format(url=url, secret=secret))
    return rules


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def answer(url: str) -> tuple[int, str]:
    """Ask until somebody answers, then return status and text."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answered:
                    return answered.status, await answered.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


@pytest.mark.timeout(180)
async def test_who_is_killed_while_people_are_told_tells_them_again_and_the_end_once(
    tmp_path: Path,
) -> None:
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": PLAN}
    cluster = Cluster(scenario.read(document, "story"), clock=clocks.wall)
    async with listening() as people, cluster, cluster.serve(tmp_path) as served:
        rules, where = written(tmp_path, people.url), f"127.0.0.1:{free_port()}"
        cluster.inject("w-1", {"disk-full": {"mount": "/scratch"}})
        async with remediator(served.remediator, rules) as program:
            people.once_heard = lambda: program.send_signal(signal.SIGKILL)
            await program.wait()
        before = people.states()
        people.once_heard = lambda: None
        async with remediator(served.remediator, rules, "--listen", where):
            await people.until("firing", "firing", "resolved")
            ready = await answer(f"http://{where}/readyz")
            healthy = await answer(f"http://{where}/healthz")
            _, metrics = await answer(f"http://{where}/metrics")

    first, again, _ = people.heard
    assert before == ["firing"]
    assert first["key"] == again["key"]
    assert set(people.refusals) == {""}
    assert (ready, healthy) == ((200, "ok\n"), (200, "ok\n"))
    assert 'nodemend_alerts_total{outcome="sent",receiver="people"}' in metrics
    assert 'nodemend_api_requests_total{code="200",verb="watch"}' in metrics
