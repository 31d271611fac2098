"""Only a well-formed answer about the right machine counts, whatever a web service does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from aiohttp import web

from nodehealth.kit import clocks, discovery, signing
from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodehealth.repair import Target
from remediator import providers
from remediator.files import owner
from remediator.providers import MachineState, Power, Provider, ProviderError, UnableError
from tests.builders import target
from tests.nodehealth.kube.fakes import Scripted

SECRET = b"hush"
discovery.find(Provider, providers.__name__, "webhook")  # modules are found before a loop runs
NOBODY = Client(Scripted(), manager="test")
"""The web service is asked without the API server."""

Reply: TypeAlias = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Service:
    """A web service that owns one machine and counts what it did."""

    replies: list[Reply] = field(default_factory=list)
    """How it misbehaves, request by request; afterwards it is well."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)
    """What was carried out, by its key."""
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        refused = signing.refusal(body, SECRET, request.headers, clocks.wall())
        if refused:
            return web.Response(status=401, text=refused)
        asked = msgspec.json.decode(body, type=dict[str, Any])
        self.asked.append(asked)
        reply = self.replies.pop(0) if self.replies else self.well
        return await reply(request, asked)

    async def well(self, _: web.Request, asked: dict[str, Any]) -> web.Response:
        said = {"version": "v1", "nodeUID": asked["target"]["nodeUID"]}
        if asked["action"] == "state":
            power = "off" if "fence" in self.done.values() else "on"
            return web.json_response({**said, "machine": "present", "power": power})
        self.done.setdefault(asked["key"], asked["action"])
        return web.json_response({**said, "accepted": True})

    async def dies_after_the_deed(
        self, request: web.Request, asked: dict[str, Any]
    ) -> web.StreamResponse:
        await self.well(request, asked)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


TWICE = '{"version": "v1", "nodeUID": "uid-n1", "machine": "present", "power": "off"}' * 2
"""A service that answers twice what it is asked once."""


async def hangs(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(2)
    return web.Response()


def says(text: str, status: int = 200) -> Reply:
    async def reply(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    return reply


def about(uid: str = "uid-n1", **facts: object) -> Reply:
    return says(msgspec.json.encode({"version": "v1", "nodeUID": uid, **facts}).decode())


@asynccontextmanager
async def serving(service: Service, tls: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    app = web.Application()
    app.router.add_post("/hook", service.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    service.url = f"http{'s' if tls else ''}://127.0.0.1:{port}/hook"
    try:
        yield service
    finally:
        await runner.cleanup()


@pytest.fixture
def hook(tmp_path: Path) -> Callable[[Service], Provider]:
    """Return a way to make the provider that asks a service."""
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")

    def made(service: Service) -> Provider:
        settings = {"url": service.url, "secretFile": str(secret), "timeout": "300ms"}
        provider = owner("webhook", settings)
        assert provider is not None
        return provider

    return made


Hook: TypeAlias = Callable[[Service], Provider]
MACHINE: Target = target("n1")


async def test_what_the_service_says_of_a_machine_is_taken(hook: Hook) -> None:
    async with serving(Service()) as service:
        provider = hook(service)

        assert await provider.state(MACHINE, NOBODY) is MachineState.PRESENT
        assert await provider.power(MACHINE, NOBODY) is Power.ON
        assert service.asked[0] == {
            "version": "v1",
            "action": "state",
            "key": "",
            "target": {
                "node": "n1",
                "nodeUID": "uid-n1",
                "providerID": "sim://machine-n1",
                "pool": "default",
            },
        }


async def test_orders_carry_their_key(hook: Hook) -> None:
    async with serving(Service()) as service:
        provider = hook(service)

        await provider.fence(MACHINE, "k1", NOBODY)
        await provider.power_cycle(MACHINE, "k2", NOBODY)
        await provider.replace(MACHINE, "k3", NOBODY)

        assert service.done == {"k1": "fence", "k2": "power-cycle", "k3": "replace"}
        assert await provider.power(MACHINE, NOBODY) is Power.OFF


async def test_an_order_whose_answer_was_lost_is_given_again_under_the_same_key(
    hook: Hook,
) -> None:
    service = Service()
    service.replies = [service.dies_after_the_deed]
    async with serving(service):
        await hook(service).fence(MACHINE, "k1", NOBODY)

    assert [each["key"] for each in service.asked] == ["k1", "k1"]
    assert service.done == {"k1": "fence"}


@pytest.mark.parametrize(
    ("reply", "says_so"),
    [
        (says("<html>Sign in</html>"), "answered state with nonsense"),
        (says("{}"), "missing required field"),
        (says(TWICE), "trailing characters"),
        (says('{"version": "v1"'), "nonsense"),
        (about(machine="fine", power="on"), "Invalid enum value 'fine'"),
        (about(machine="present", power="dead"), "Invalid enum value 'dead'"),
        (about("uid-other", machine="present", power="on"), "got one about uid-other"),
        (about(version="v2", machine="present", power="on"), "Invalid enum value 'v2'"),
        (says("x" * 70_000), "at most 65536 bytes"),
        (says("no such page", 404), "expected 200, got 404 no such page"),
        (says("moved", 302), "expected 200, got 302"),
        (says("", 204), "expected 200, got 204"),
    ],
)
async def test_nonsense_is_no_answer_and_is_quoted(hook: Hook, reply: Reply, says_so: str) -> None:
    async with serving(Service(replies=[reply])) as service:
        with pytest.raises(ProviderError, match=says_so):
            await hook(service).power(MACHINE, NOBODY)

        assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("reply", "says_so"),
    [(hangs, "was silent for 0.3 s"), (says("overloaded", 503), "got 503 overloaded")],
)
async def test_a_service_in_trouble_is_asked_once_more_and_then_named(
    hook: Hook, reply: Reply, says_so: str
) -> None:
    async with serving(Service(replies=[reply, reply])) as service:
        with pytest.raises(ProviderError, match=says_so):
            await hook(service).replace(MACHINE, "k1", NOBODY)

        assert [each["key"] for each in service.asked] == ["k1", "k1"]


async def test_a_refused_order_is_not_given_again(hook: Hook) -> None:
    refusal = about(accepted=False, reason="it is in a museum")
    async with serving(Service(replies=[refusal])) as service:
        with pytest.raises(UnableError, match="does not accept to fence: it is in a museum"):
            await hook(service).fence(MACHINE, "k1", NOBODY)

        assert len(service.asked) == 1


async def test_who_is_not_there_is_named_without_what_may_be_secret(hook: Hook) -> None:
    away = Service(url="http://user:pass@127.0.0.1:1/hook?token=t")

    with pytest.raises(ProviderError, match=r"http://127\.0\.0\.1:1: Client") as raised:
        await hook(away).state(MACHINE, NOBODY)

    assert "token" not in str(raised.value)
    assert "pass" not in str(raised.value)


async def test_a_service_that_proves_no_identity_is_asked_nothing(hook: Hook) -> None:
    plain = Service()
    async with serving(plain):
        pretended = Service(url=plain.url.replace("http:", "https:"))

        with pytest.raises(ProviderError, match="SSL"):
            await hook(pretended).state(MACHINE, NOBODY)

        assert plain.asked == []


@pytest.mark.parametrize(("content", "says_so"), [(None, "No such file"), (b"\n", "it is empty")])
async def test_without_a_secret_nothing_is_asked(
    tmp_path: Path, content: bytes | None, says_so: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    async with serving(Service()) as service:
        provider = owner("webhook", {"url": service.url, "secretFile": str(secret)})
        assert provider is not None

        with pytest.raises(ProviderError, match=says_so):
            await provider.state(MACHINE, NOBODY)

        assert service.asked == []


async def test_a_service_with_another_secret_refuses_us(hook: Hook, tmp_path: Path) -> None:
    async with serving(Service()) as service:
        provider = hook(service)
        (tmp_path / "secret").write_bytes(b"other")

        with pytest.raises(ProviderError, match="got 401 X-Nodemend-Signature"):
            await provider.state(MACHINE, NOBODY)


@pytest.mark.parametrize(
    ("settings", "says_so"),
    [
        (None, "webhook.url: expected text, got nothing"),
        ({"url": "https://x"}, "webhook.secret_file: expected text, got nothing"),
        ({"url": "x", "secretFile": "s"}, "url: expected one such as"),
        ({"url": "https://x", "secretFile": "s", "timeout": "31s"}, "timeout: expected"),
        ({"url": "https://x", "secretFile": "s", "retries": 3}, "webhook.retries: unknown"),
    ],
)
def test_wrong_settings_are_named(settings: object, says_so: str) -> None:
    with pytest.raises(SettingsError, match=says_so):
        owner("webhook", settings)
