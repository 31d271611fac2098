"""How long nobody decides when the remediator that leads ends: asked to, or killed.

A node falls sick in the moment in which the leader ends. It is measured until the other replica
has it cordoned, by the server's own times; beside it is the same while the leader lives.
"""

import asyncio
import signal
import statistics
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import program, server
from bench.benchmark import Benchmark, Site
from bench.benchmarks.thread import prepare
from bench.cordoning import Cordoning
from bench.emulated import REMEDIATOR_KUBECONFIG
from bench.figures import Figures, ratio, spread
from bench.standins import FULL, Standins
from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import LEASES, NODES
from nodemend.demo import processes
from nodemend.demo.processes import Program

_NAMES: Final = ("one", "two")
_SETTLE: Final = 3.0
"""Seconds until a replica that follows has its copies of the fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover(Benchmark):
    """Ends the leader again and again."""

    rounds: int = 5
    nodes: int = 200

    async def measure(self, site: Site) -> Figures:
        """Measure both ways to end, and a decision of a leader that lives."""
        await asyncio.to_thread(prepare, site.folder)
        async with server.started("emulated", site, standins=self.nodes) as emulated:
            client = Client(emulated.transport, manager="bench")
            nodes = (await client.listing(NODES)).items
            uids = {each.metadata.name: each.metadata.uid for each in nodes}
            standins = Standins(client=client, uids=uids, since=clocks.wall())
            await standins.begin()
            cordoning = Cordoning(server=emulated, client=client, standins=standins)
            names = iter(sorted(uids))
            async with AsyncExitStack() as stack:
                pair = _Pair(site.folder, client, stack)
                await pair.begin()
                alive = [await cordoning.one(next(names), FULL) for _ in range(self.rounds)]
                site.tell("takeover: the leader is asked to end")
                asked = await self._ended(pair, cordoning, names, signal.SIGTERM)
                site.tell("  the leader is killed")
                killed = await self._ended(pair, cordoning, names, signal.SIGKILL)
        lives = statistics.median(alive)
        return {
            "alive_s": spread(alive),
            "after_sigterm_s": spread(asked),
            "after_sigkill_s": spread(killed),
            "goals_s": {"after_sigterm": 2, "after_sigkill": 15},
            "sigkill_to_alive": ratio(statistics.median(killed), lives),
        }

    async def _ended(
        self, pair: "_Pair", cordoning: Cordoning, names: Iterator[str], how: signal.Signals
    ) -> list[float]:
        found = list[float]()
        for _ in range(self.rounds):
            await pair.end(how)
            found.append(await cordoning.one(next(names), FULL))
            await pair.complete()
        return found


class _Pair:
    """Two replicas; one that ended is started anew."""

    def __init__(self, folder: Path, client: Client, stack: AsyncExitStack) -> None:
        self._folder, self._client, self._stack = folder, client, stack
        self._running: dict[str, Program] = {}
        self._started = 0

    async def begin(self) -> None:
        """Start both, and wait until one leads."""
        await self.complete()
        first = next(iter(self._running.values()))
        await program.until(first, self._is_led, "leader")

    async def complete(self) -> None:
        """Start who is missing, and give it time to follow."""
        for name in _NAMES:
            if name not in self._running:
                self._started += 1
                command = processes.nodemend(
                    "remediator",
                    *("--kubeconfig", self._folder / "emulated" / REMEDIATOR_KUBECONFIG),
                    *("--rules", self._folder / "rules"),
                    *("--policy", self._folder / "policy.yaml", "--identity", name),
                )
                running = program.running(f"{name}-{self._started}", command, self._folder)
                self._running[name] = await self._stack.enter_async_context(running)
        await asyncio.sleep(_SETTLE)

    async def end(self, how: signal.Signals) -> None:
        """End the one that leads."""
        leader = await self._leader()
        await self._running.pop(leader).stop(how)

    async def _is_led(self) -> bool:
        return bool(await self._leader())

    async def _leader(self) -> str:
        try:
            found = await self._client.get(LEASES, keys.LEADER_LEASE, namespace=keys.NAMESPACE)
        except errors.GoneError:
            return ""
        return found.spec.holder_identity or ""
