"""What the agent takes of a machine with eight GPUs while all is well: memory, CPU, writes."""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench import program, server
from bench.benchmark import Benchmark, Site
from bench.emulated import AGENT_KUBECONFIG
from bench.figures import Figures, mebibytes, ratio, short
from bench.largenode import LargeNode
from bench.tracks import Commit
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodemend.demo import processes
from simulator.driver.build import BuildError
from simulator.driver.control import Driver

_GOAL_MIB: Final = 60
_GOAL_PERCENT: Final = 0.5
_STARTS: Final = 3.0
_NOTHING: Final = "import asyncio, aiohttp; asyncio.run(asyncio.sleep(3600))"
"""The least that a Python program with an HTTP client is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint(Benchmark):
    """Runs the whole agent with its usual settings, and leaves it alone."""

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
            return await self._measured(site, node)
        finally:
            await asyncio.to_thread(node.driver.close)

    async def _measured(self, site: Site, node: LargeNode) -> Figures:
        site.tell("footprint: an agent of eight GPUs, eight disks and ten adapters")
        async with server.started("emulated", site, nodes=0, standins=1) as emulated:
            client = Client(emulated.transport, manager="bench")
            (known,) = (await client.listing(NODES)).items
            name = known.metadata.name
            command = _agent(site.folder, node, name, known.metadata.uid)
            async with program.running("compiling", command, site.folder) as agent:
                await program.until(agent, lambda: _has_reported(client, name), "report")
            async with program.running("agent", command, site.folder) as agent:
                await asyncio.sleep(self.warm)
                await emulated.ask("commits", list[Commit])  # those of before are of no interest
                site.tell(f"  leaves it alone for {self.seconds:g} s")
                figures = await self._watched(agent.pid)
                writes = len(await emulated.ask("commits", list[Commit]))
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
        }

    async def _watched(self, pid: int) -> Figures:
        before, began = _spent(pid), time.perf_counter()
        await asyncio.sleep(self.seconds)
        share = (_spent(pid) - before) / (time.perf_counter() - began)
        family = _family(pid)
        memory = [each.memory_full_info() for each in family]
        return {
            "processes": len(family),
            "rss_mib": short(sum(mebibytes(each.rss) for each in memory)),
            "rss_of_each_mib": {f"{n}": mebibytes(each.rss) for n, each in enumerate(memory)},
            "pss_mib": short(sum(mebibytes(each.pss) for each in memory)),
            "own_mib": short(sum(mebibytes(each.uss) for each in memory)),
            "cpu_percent": short(100 * share),
            "goal_rss_mib": _GOAL_MIB,
            "goal_cpu_percent": _GOAL_PERCENT,
        }


def _agent(folder: Path, node: LargeNode, name: str, uid: str) -> list[str]:
    (folder / "boot").write_text("footprint\n", encoding="utf-8")
    (folder / "kmsg").touch()
    command = processes.nodemend(
        "agent",
        *("--kubeconfig", folder / "emulated" / AGENT_KUBECONFIG),
        *("--node", name, "--node-uid", uid, "--root", node.root),
        *("--boot-id", folder / "boot", "--kmsg", folder / "kmsg"),
        *("--state-file", folder / "state.json"),
    )
    environ = {**node.environ(), **_compiled(folder)}
    return ["env", *(f"{each}={value}" for each, value in environ.items()), *command]


def _compiled(folder: Path) -> dict[str, str]:
    """Have Python keep what it compiled, as an image does: to compile takes memory for good."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder / 'compiled'}"}


def _family(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def _spent(pid: int) -> float:
    times = [each.cpu_times() for each in _family(pid)]
    return sum(each.user + each.system for each in times)


async def _has_reported(client: Client, name: str) -> bool:
    try:
        levels = (await client.get(NODE_HEALTHS, name)).status.levels
    except errors.GoneError:
        return False
    return any(each.name == "gpu.recovery_action" for each in levels)
