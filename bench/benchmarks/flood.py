"""A hundred thousand lines that the kernel logs at once: is a fault lost, does the agent stall?

Beside it is the least that reading them can take: a loop that takes the lines and does nothing.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench import program, server
from bench.benchmark import Benchmark, Site
from bench.figures import Figures, latency, ratio, short
from bench.largenode import LargeNode, command, has_reported, spent
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodemend.demo.processes import Program
from simulator.driver.build import BuildError
from simulator.driver.control import Driver

_FAULT: Final = "disk.io_errors_logged"
_EVERY: Final = 0.02
_PORT: Final = 19_464
_SIZE: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood(Benchmark):
    """Writes lines into a FIFO as fast as they are taken, a few faults among them."""

    lines: int = 100_000
    faults: int = 5
    warm: float = 30.0
    """Seconds until the agent has asked everything once."""

    async def measure(self, site: Site) -> Figures:
        """Measure how long it takes until all is told, and how fast the agent answers meanwhile."""
        node = LargeNode(driver=Driver(site.folder / "driver"))
        try:
            await asyncio.to_thread(node.prepare)
        except BuildError as missing:
            return {"not_measured": f"{missing}"}
        try:
            ours = await self._of_agent(site, node)
        finally:
            await asyncio.to_thread(node.driver.close)
        least = await asyncio.to_thread(self._of_nothing, site.folder / "bare")
        taken = ours["lines_taken_s"]
        return {
            **ours,
            "lines_taken_by_nothing_s": short(least),
            "taken_to_nothing": ratio(taken if isinstance(taken, float) else 0.0, least),
        }

    async def _of_agent(self, site: Site, node: LargeNode) -> Figures:
        site.tell(f"flood: {self.lines} lines for an agent of eight GPUs")
        async with server.started("emulated", site, nodes=0, standins=1) as emulated:
            client = Client(emulated.transport, manager="bench")
            (known,) = (await client.listing(NODES)).items
            name = known.metadata.name
            words = command(site.folder, node, name, known.metadata.uid)
            words = [*words, f"--listen=127.0.0.1:{_PORT}"]
            async with program.running("agent", words, site.folder) as agent:
                await program.until(agent, lambda: has_reported(client, name), "report")
                await asyncio.sleep(self.warm)
                return await self._flooded(client, name, agent, site.folder / "kmsg")

    async def _flooded(self, client: Client, name: str, agent: Program, kmsg: Path) -> Figures:
        waits = list[float]()
        answering = asyncio.create_task(_answering(waits))
        before, began = spent(agent.pid), time.perf_counter()
        await asyncio.to_thread(self._write, kmsg)
        taken = time.perf_counter() - began
        await program.until(agent, lambda: self._are_told(client, name), "fault")
        told = time.perf_counter() - began
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        return {
            "lines": self.lines,
            "faults": self.faults,
            "faults_told": await _counted(client, name),
            "lines_taken_s": short(taken),
            "all_told_s": short(told),
            "cpu_s": short(spent(agent.pid) - before),
            "healthz_meanwhile": latency(waits),
        }

    async def _are_told(self, client: Client, name: str) -> bool:
        return await _counted(client, name) >= self.faults

    def _write(self, kmsg: Path) -> None:
        apart = self.lines // self.faults
        with kmsg.open("w", encoding="utf-8") as file:
            for number in range(1, self.lines + 1):
                text = f"cni0: port 3(veth{number:x}) entered forwarding state"
                if number % apart == 0:
                    text = f"I/O error, dev sdz, sector {number} op 0x0:(READ)"
                file.write(f"3,{number},{number},-;{text}\n")

    def _of_nothing(self, path: Path) -> float:
        """Return the seconds in which a process takes the same lines and does nothing with them."""
        os.mkfifo(path)
        child = os.fork()
        if child == 0:
            self._write(path)
            os._exit(0)
        began = time.perf_counter()
        with path.open("rb", buffering=0) as file:
            while file.read(_SIZE):
                pass
        os.waitpid(child, 0)
        return time.perf_counter() - began


async def _answering(waits: list[float]) -> None:
    """Ask the agent again and again whether it is alive."""
    async with aiohttp.ClientSession() as http:
        while True:
            began = time.perf_counter()
            async with http.get(f"http://127.0.0.1:{_PORT}/healthz") as answer:
                answer.raise_for_status()
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(_EVERY)


async def _counted(client: Client, name: str) -> int:
    events = (await client.get(NODE_HEALTHS, name)).status.events
    return sum(each.count for each in events if each.name == _FAULT)
