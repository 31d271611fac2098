"""A web service repairs a node under one key, however often it is asked and answers get lost."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from aiohttp import web
from msgspec import structs

from nodehealth.kit import clocks, signing
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.actions import Done, Failed, Going, Progress, SupersededError, Tools
from remediator.actions.webhook import Webhook
from remediator.pacing import Pacing
from remediator.rules.policy import DrainManners, Hook
from tests.builders import NOON, at, node, repair
from tests.nodehealth.kube.fakes import Scripted

SECRET = b"hush"


@dataclass(slots=True)
class Service:
    """A web service that repairs one node and counts how often it began."""

    says: list[dict[str, Any]] = field(default_factory=list)
    """What it answers, request by request; the last one for ever."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    lost: int = 0
    """How many answers get lost after the deed."""
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        refused = signing.refusal(body, SECRET, request.headers, clocks.wall())
        if refused:
            return web.Response(status=401, text=refused)
        asked = msgspec.json.decode(body, type=dict[str, Any])
        self.asked.append(asked)
        self.begun.add(asked["key"])
        if self.lost:
            self.lost -= 1
            assert request.transport is not None
            request.transport.abort()
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return web.json_response({"version": "v1", "nodeUID": "uid-n1", **said})


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Service]:
    app = web.Application()
    app.router.add_post("/hook", service.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield service
    finally:
        await runner.cleanup()


class Hooking:
    """One rung, run at the times that the test says."""

    def __init__(self, service: Service, secret: Path) -> None:
        self.hook = Hook(url=service.url, secret_file=str(secret))
        self.repair = repair("n1", status=NodeRepairStatus(phase=Phase.REPAIRING))
        self.now, self.superseded = NOON, False

    async def run(
        self, *, after: float = 0, name: str = "sre", seen: Node | None = None
    ) -> Progress:
        self.now = at(after)
        tools = Tools(
            client=Client(Scripted(), manager="test"),
            clock=lambda: self.now,
            node=seen or node("n1", unschedulable=True),
            provider=None,
            manners=DrainManners(),
            pacing=Pacing(lambda: self.now),
            guard=self._guard,
            record=self._record,
            webhooks={"sre": self.hook},
        )
        return await Webhook(name=name).run(self.repair, NOON, tools)

    async def _guard(self) -> None:
        assert self.repair.status.intent is not None, "the intent comes before the guard"
        if self.superseded:
            raise SupersededError("not ours")

    async def _record(self, status: NodeRepairStatus) -> NodeRepair:
        self.repair = structs.replace(self.repair, status=status)
        return self.repair


Made: TypeAlias = Callable[[Service], Hooking]
GOING, DONE = {"state": "going", "message": "2 of 5"}, {"state": "done", "message": "recabled"}


@pytest.fixture
def hooking(tmp_path: Path) -> Made:
    """Return a way to begin a rung that asks a service."""
    (tmp_path / "secret").write_bytes(SECRET)
    return lambda service: Hooking(service, tmp_path / "secret")


async def test_it_is_asked_under_one_key_until_it_is_done(hooking: Made) -> None:
    async with serving(Service(says=[GOING, GOING, DONE])) as service:
        rung = hooking(service)

        first = await rung.run()
        await rung.run(after=15)
        last = await rung.run(after=30)

    assert first == Going(message="webhook sre: 2 of 5", again=Webhook(name="sre").again)
    assert last == Done(message="webhook sre: recabled")
    assert len(service.begun) == 1
    assert len(service.asked) == 3
    assert rung.repair.status.intent is None


async def test_the_service_hears_which_node_why_and_until_when(hooking: Made) -> None:
    async with serving(Service(says=[GOING])) as service:
        rung = hooking(service)
        await rung.run()

    (asked,), spec = service.asked, rung.repair.spec
    assert (asked["version"], asked["action"], asked["rule"]) == ("v1", "repair", spec.rule)
    assert asked["target"]["nodeUID"] == "uid-n1"
    assert asked["target"]["providerID"] == "sim://machine-n1"
    assert asked["until"] == "2026-01-01T12:30:00Z"
    assert asked["repair"] == rung.repair.metadata.name


async def test_an_answer_that_was_lost_after_the_deed_begins_nothing_anew(hooking: Made) -> None:
    async with serving(Service(says=[DONE], lost=2)) as service:
        rung = hooking(service)

        unclear = await rung.run()
        clear = await rung.run(after=15)

    assert isinstance(unclear, Going)
    assert isinstance(clear, Done)
    assert len(service.begun) == 1


async def test_a_crash_after_the_last_answer_asks_under_the_same_key(hooking: Made) -> None:
    async with serving(Service(says=[DONE])) as service:
        rung = hooking(service)

        await rung.run()
        await rung.run(after=5)

    assert len(service.asked) == 2
    assert len(service.begun) == 1


async def test_a_failure_leads_on_in_its_own_words(hooking: Made) -> None:
    async with serving(Service(says=[{"state": "failed", "message": "no spare"}])) as service:
        rung = hooking(service)

        assert await rung.run() == Failed(message="webhook sre: no spare")
        assert rung.repair.status.intent is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"state": "fine"}, "nonsense"),
        ({"state": "done", "nodeUID": "uid-other"}, "got one about uid-other"),
    ],
)
async def test_nonsense_is_no_answer(hooking: Made, said: dict[str, Any], why: str) -> None:
    async with serving(Service(says=[said])) as service:
        waits = await hooking(service).run()

    assert isinstance(waits, Going)
    assert why in waits.message


async def test_after_the_deadline_nobody_is_asked_and_nothing_is_claimed_any_more(
    hooking: Made,
) -> None:
    async with serving(Service(says=[GOING])) as service:
        rung = hooking(service)
        await rung.run()

        late = await rung.run(after=1800)

    assert isinstance(late, Failed)
    assert "took 30m" in late.message
    assert len(service.asked) == 1
    assert rung.repair.status.intent is None


async def test_an_unknown_name_fails_and_names_those_that_there_are(hooking: Made) -> None:
    assert await hooking(Service(says=[DONE])).run(name="srr") == Failed(
        message="the policy names no webhook srr; known are sre"
    )


async def test_another_machine_under_the_name_is_left_alone(hooking: Made) -> None:
    async with serving(Service(says=[DONE])) as service:
        found = await hooking(service).run(seen=node("n1", uid="uid-other"))

    assert found == Done(message="the node is another machine now")
    assert service.asked == []


async def test_nobody_is_asked_without_the_right_to_disrupt(hooking: Made) -> None:
    async with serving(Service(says=[DONE])) as service:
        rung = hooking(service)
        rung.superseded = True

        with pytest.raises(SupersededError):
            await rung.run()
        with pytest.raises(SupersededError):
            await rung.run(after=5)

    assert service.asked == []


async def test_who_uncordons_the_node_has_nobody_asked_again(hooking: Made) -> None:
    async with serving(Service(says=[GOING])) as service:
        rung = hooking(service)
        await rung.run()
        waits = await rung.run(after=60, seen=node("n1"))
        claimed = rung.repair.status.intent
        late = await rung.run(after=1800, seen=node("n1"))

    assert isinstance(waits, Going)
    assert waits.message.startswith("somebody uncordoned n1: waits for what comes of webhook")
    assert len(service.asked) == 1
    assert claimed is not None
    assert isinstance(late, Going)
    assert rung.repair.status.intent is None
