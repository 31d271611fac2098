"""A hundred thousand lines that the kernel logs at once: is a fault lost, does the agent stall?

Beside it is the least that reading them can take: a loop that takes the lines and does nothing.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import aiohttp
import yaml

from bench import attended, largenode, peers, program, server
from bench.attended import Attended
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
_LAST_LOOKS: Final = 3.0
_SIZE: Final = 8192
_HURRIED: Final = "runtime", "containers"
"""The probes that are to look once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood(Benchmark):
    """Writes lines into a FIFO as fast as they are taken, a few faults among them."""

    lines: int = 100_000
    faults: int = 5
    warm: float = 30.0
    """Seconds until the agent has asked everything once."""

    async def measure(self, site: Site) -> Figures:
        """Measure how long all takes to be told, and how the agent answers and looks meanwhile."""
        node = LargeNode(driver=Driver(site.folder / "driver"))
        try:
            await asyncio.to_thread(node.prepare)
        except BuildError as missing:
            return {"not_measured": f"{missing}"}
        try:
            async with attended.running(node.root) as around:
                ours = await self._of_agent(site, node, around)
        finally:
            await asyncio.to_thread(node.driver.close)
        least = await asyncio.to_thread(self._of_nothing, site.folder / "bare")
        taken = ours["lines_taken_s"]
        return {
            **ours,
            "lines_taken_by_nothing_s": short(least),
            "taken_to_nothing": ratio(taken if isinstance(taken, float) else 0.0, least),
            "node_problem_detector": peers.FLOOD,
        }

    async def _of_agent(self, site: Site, node: LargeNode, around: Attended) -> Figures:
        site.tell(f"flood: {self.lines} lines for an agent of eight GPUs")
        port = largenode.free_port()
        config = site.folder / "agent.yaml"
        await asyncio.to_thread(_hurry, config, around.port)
        async with server.started("emulated", site, nodes=0, standins=1) as emulated:
            client = Client(emulated.transport, manager="bench")
            (known,) = (await client.listing(NODES)).items
            name, uid = known.metadata.name, known.metadata.uid
            words = command(site.folder, node, name, uid, port=port, config=config)
            async with program.running("agent", words, site.folder) as agent:
                await program.until(agent, lambda: has_reported(client, name), "report")
                await asyncio.sleep(self.warm)
                answering = _Answering(port)
                async with answering.meanwhile():
                    found = await self._flooded(client, name, agent, site.folder / "kmsg", around)
                return {**found, "healthz_meanwhile": latency(answering.waits)}

    async def _flooded(
        self, client: Client, name: str, agent: Program, kmsg: Path, around: Attended
    ) -> Figures:
        before, began = spent(agent.pid), time.perf_counter()
        await asyncio.to_thread(self._write, kmsg)
        taken = time.perf_counter() - began
        await program.until(agent, lambda: self._are_told(client, name), "fault")
        told = time.perf_counter() - began
        cpu = spent(agent.pid) - before
        await asyncio.sleep(_LAST_LOOKS)
        return {
            "lines": self.lines,
            "faults": self.faults,
            "faults_told": await _counted(client, name),
            "lines_taken_s": short(taken),
            "all_told_s": short(told),
            "cpu_s": short(cpu),
            "looks_of_a_probe_each_second": {
                "kubelet": _gaps(around.kubelet, began, taken),
                "container_runtime": _gaps(around.runtime, began, taken),
            },
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


class _Answering:
    """Asks the agent again and again whether it is alive."""

    def __init__(self, port: int) -> None:
        self.waits: list[float] = []
        self._url = f"http://127.0.0.1:{port}/healthz"

    @contextlib.asynccontextmanager
    async def meanwhile(self) -> AsyncIterator[None]:
        """Ask within the context."""
        asking = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def _ask(self) -> NoReturn:
        async with aiohttp.ClientSession() as http:
            while True:
                began = time.perf_counter()
                async with http.get(self._url) as answer:
                    answer.raise_for_status()
                self.waits.append(time.perf_counter() - began)
                await asyncio.sleep(_EVERY)


def _hurry(config: Path, kubelet: int) -> None:
    """Write the shipped settings, but that two probes look once a second."""
    said = yaml.safe_load(largenode.SHIPPED.read_text(encoding="utf-8"))
    for name in _HURRIED:
        said["probes"][name]["interval"] = "1s"
    said["probes"]["runtime"]["kubelet-url"] = f"http://127.0.0.1:{kubelet}/healthz"
    config.write_text(yaml.safe_dump(said), encoding="utf-8")


def _gaps(looks: Sequence[float], began: float, taken: float) -> Figures:
    """Return the longest times from one look of a probe to its next one."""
    gaps = list(itertools.pairwise(looks))
    before = [b - a for a, b in gaps if b <= began]
    taking = [b - a for a, b in gaps if b > began and a < began + taken]
    after = [b - a for a, b in gaps if a >= began + taken]
    parts = {"before": before, "while_lines_come": taking, "afterwards": after}
    return {f"longest_gap_{name}_s": short(max(part)) for name, part in parts.items() if part}


async def _counted(client: Client, name: str) -> int:
    events = (await client.get(NODE_HEALTHS, name)).status.events
    return sum(each.count for each in events if each.name == _FAULT)
