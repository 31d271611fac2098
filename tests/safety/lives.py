"""Remediator processes: each has a watch of its own, dies as told, and is started anew."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from nodehealth import keys
from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.lease import Election
from remediator.asking import Service, Way
from remediator.files import Loaded
from remediator.replica import Replica
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.virtualtime import VirtualLoop
from tests.safety.people import People
from tests.safety.peril import Crash, Luck, PerilousTransport
from tests.safety.services import Repairs

RESTART: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How wrong the clock of a machine is, and how it jumps."""

    by: timedelta = timedelta()
    jumps: tuple[tuple[datetime, timedelta], ...] = ()
    """From when on it is wrong by how much instead, in order."""

    def clock(self, truth: Clock) -> Clock:
        """Return the wrong clock."""

        def wrong() -> datetime:
            now, by = truth(), self.by
            for at, instead in self.jumps:
                by = instead if now >= at else by
            return now + by

        return wrong


RIGHT: Final = Skew()


@dataclass(slots=True, kw_only=True)
class Life:
    """One remediator process and all that come after it in its place."""

    name: str
    cluster: Cluster
    random: Random
    clock: Clock
    files: Callable[[], Loaded]
    """What is written in the files now."""
    luck: Luck
    crashes: list[Crash | int]
    """How each life ends: at a request, or after so many steps of the loop; later ones do not."""
    people: People | None = None
    service: Repairs | None = None
    elected: bool = False
    """Whether it leads only while the lease is its own."""
    writes: int = 0
    replica: Replica | None = field(default=None, init=False)

    async def run(self) -> None:
        """Run, die, come back without any memory."""
        while True:
            dead = asyncio.Event()
            ends = self.crashes.pop(0) if self.crashes else None
            transport = PerilousTransport(
                self.cluster.transport(REMEDIATOR_TOKEN),
                random=self.random,
                luck=self.luck,
                crash=ends if isinstance(ends, Crash) else None,
                crashed=dead.set,
            )
            loop = asyncio.get_running_loop()
            if isinstance(ends, int) and isinstance(loop, VirtualLoop):
                loop.after_steps(ends, transport.kill)
            await self._until(dead, transport)
            await asyncio.sleep(RESTART.total_seconds())

    def take_in(self) -> None:
        """Have the process take its files in anew."""
        if self.replica is not None:
            self.replica.use(self.files())

    async def _until(self, dead: asyncio.Event, transport: PerilousTransport) -> None:
        life = asyncio.create_task(self._live(transport), name=f"the life of {self.name}")
        death = asyncio.create_task(dead.wait())
        try:
            await asyncio.wait({life, death}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                await life
        finally:
            self.writes += transport.writes
            self.replica = None
            for task in (life, death):
                task.cancel()
            await asyncio.gather(life, death, return_exceptions=True)

    async def _live(self, transport: PerilousTransport) -> None:
        client = Client(
            transport,
            manager=keys.REMEDIATOR_MANAGER,
            random=self.random,
            deadline=timedelta(minutes=10),  # a frozen process does not see its time go by
        )
        people = self.people
        self.replica = remediator = Replica(
            self.files(),
            client=client,
            clock=self.clock,
            random=self.random,
            outside=people.outside(transport, self.clock) if people else None,
            ask=_way(self.service, transport) if self.service else Service.ask,
        )
        leads = remediator.lead
        election = Election(
            client,
            name=keys.LEADER_LEASE,
            namespace=keys.NAMESPACE,
            identity=f"{self.name}-{self.random.getrandbits(32):08x}",
            clock=self.clock,
            random=self.random,
        )
        async with asyncio.TaskGroup() as tasks:
            for each in remediator.reflectors:
                tasks.create_task(each.run())
            tasks.create_task(election.run(leads) if self.elected else leads())


def _way(repairs: Repairs, transport: PerilousTransport) -> Way:
    """Return the way of a process to a web service, on which it may die."""

    async def ask(service: Service, body: bytes) -> bytes:
        return await transport.ask(repairs.answer, service.url, body)

    return ask
