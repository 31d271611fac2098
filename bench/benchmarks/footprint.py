"""What the agent takes of a machine with eight GPUs while all is well: memory, CPU, writes."""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from typing import Final, NoReturn

import aiohttp
import psutil

from bench import attended, largenode, peers, program, server
from bench.benchmark import Benchmark, Site
from bench.figures import Figures, mebibytes, ratio, short
from bench.largenode import LargeNode, command, family, has_reported, spent
from bench.tracks import Commit
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from simulator.driver.build import BuildError
from simulator.driver.control import Driver

_GOAL_MIB: Final = 60
_GOAL_PERCENT: Final = 0.5
_STARTS: Final = 3.0
_KUBELET: Final = 10.0
"""How often a kubelet asks whether the agent lives and is ready, as the DaemonSet has it."""
_SCRAPED: Final = 3
"""Every how many of these times metrics are asked for: twice as often as our PodMonitor has it."""
_NOTHING: Final = "import asyncio, aiohttp; asyncio.run(asyncio.sleep(3600))"
"""The least that a Python program with an HTTP client is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint(Benchmark):
    """Runs the whole agent as the shipped DaemonSet does, all that it asks there, and waits."""

    warm: float = 60.0
    """Seconds until everything was asked at least once, the slowest probes included."""
    seconds: float = 120.0
    """How long it is measured."""

    async def measure(self, site: Site) -> Figures:
        """Measure the agent and its NVML worker, and beside them a Python that does nothing."""
        node = LargeNode(driver=Driver(site.folder / "driver"))
        try:
            await asyncio.to_thread(node.prepare)
        except BuildError as missing:
            return {"not_measured": f"{missing}"}
        try:
            async with attended.running(node.root, attended.KUBELET_PORT):
                return await self._measured(site, node)
        finally:
            await asyncio.to_thread(node.driver.close)

    async def _measured(self, site: Site, node: LargeNode) -> Figures:
        site.tell("footprint: an agent of eight GPUs, eight disks and ten adapters")
        port = largenode.free_port()
        async with server.started("emulated", site, nodes=0, standins=1) as emulated:
            client = Client(emulated.transport, manager="bench")
            (known,) = (await client.listing(NODES)).items
            name = known.metadata.name
            words = command(site.folder, node, name, known.metadata.uid, port=port)
            async with program.running("compiling", words, site.folder) as agent:
                await program.until(agent, lambda: has_reported(client, name), "report")
            async with program.running("agent", words, site.folder) as agent:
                watching = asyncio.create_task(_watching(port))
                await asyncio.sleep(self.warm)
                await emulated.ask("commits", list[Commit])  # those of before are of no interest
                site.tell(f"  leaves it alone for {self.seconds:g} s")
                figures = await self._watched(agent.pid)
                writes = len(await emulated.ask("commits", list[Commit]))
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
        nothing = [sys.executable, "-c", _NOTHING]
        async with program.running("nothing", nothing, site.folder) as bare:
            await asyncio.sleep(_STARTS)
            least = mebibytes(psutil.Process(bare.pid).memory_info().rss)
        together = figures["rss_mib"]
        return {
            **figures,
            "writes": writes,
            "python_that_does_nothing_rss_mib": least,
            "rss_to_nothing": ratio(together if isinstance(together, float) else 0.0, least),
            "node_problem_detector": peers.FOOTPRINT,
        }

    async def _watched(self, pid: int) -> Figures:
        before, began = spent(pid), time.perf_counter()
        await asyncio.sleep(self.seconds)
        share = (spent(pid) - before) / (time.perf_counter() - began)
        memory = [each.memory_full_info() for each in family(pid)]
        return {
            "processes": len(memory),
            "rss_mib": short(sum(mebibytes(each.rss) for each in memory)),
            "rss_of_each_mib": {f"{n}": mebibytes(each.rss) for n, each in enumerate(memory)},
            "pss_mib": short(sum(mebibytes(each.pss) for each in memory)),
            "own_mib": short(sum(mebibytes(each.uss) for each in memory)),
            "cpu_percent": short(100 * share),
            "goal_rss_mib": _GOAL_MIB,
            "goal_cpu_percent": _GOAL_PERCENT,
        }


async def _watching(port: int) -> NoReturn:
    """Ask the agent what a kubelet and a Prometheus ask it."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        number = 0
        while True:
            await asyncio.sleep(_KUBELET)
            number += 1
            scraped = ("metrics",) if number % _SCRAPED == 0 else ()
            for page in ("healthz", "readyz", *scraped):
                async with http.get(f"/{page}") as answer:
                    await answer.read()
