"""Candidates for a lease, and what they did when."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.lease import Election
from nodehealth.kube.transport import Transport
from simulator import virtualtime
from tests.nodehealth.kube.fakes import DICE, Shelf

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/leader"


@dataclass
class Replica:
    """A candidate, and what it did when."""

    shelf: Transport
    identity: str
    clock: Clock | None = None
    random: Random = DICE
    spans: list[tuple[float, float]] = field(default_factory=list)
    """From when to when its body ran."""
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.election = Election(
            Client(self.shelf, manager="tester", random=DICE),
            name="leader",
            namespace="ns",
            identity=self.identity,
            clock=self.clock or virtualtime.clock(),
            random=self.random,
        )

    async def body(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.began.clear()
            self.spans.append((started, loop.time()))

    def start(self, body: Callable[[], Awaitable[None]] | None = None) -> asyncio.Task[None]:
        return asyncio.create_task(self.election.run(body or self.body), name=self.identity)


def spec(shelf: Shelf) -> dict[str, object]:
    found: dict[str, object] = shelf.objects[PATH]["spec"]
    return found


async def stopped(*tasks: asyncio.Task[None]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.wait(tasks)


def now() -> float:
    return asyncio.get_running_loop().time()
