"""From a line in the kernel's log to the XID's being in the NodeHealth, by the real agent."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from agent.host import doors
from bench import program, server
from bench.benchmark import Benchmark, Site
from bench.emulated import AGENT_KUBECONFIG
from bench.figures import Figures, latency, ratio
from bench.server import MeasurementError, Server
from bench.standins import Standins
from bench.tracks import Commit
from nodehealth.health import NODE_HEALTHS, NodeHealthStatus
from nodehealth.kit import clocks, discovery
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodemend.demo import processes

_SIZE: Final = 8192
_WITHIN: Final = 60.0
_SETTLED: Final = 1.2
"""Seconds between two XIDs beside chance: the agent leaves one between any two writes."""
_PROBES: Final = "agent.probes"
_CODES: Final = (48, 62, 79, 95, 119, 140)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid(Benchmark):
    """Writes lines of XIDs into a FIFO that stands for /dev/kmsg, each after a moment of quiet."""

    rounds: int = 5
    """How often the agent is started anew, so that it never has to save its writes."""
    xids: int = 8
    """How many XIDs a round has: an urgent change is written ten times before it has to wait."""

    async def measure(self, site: Site) -> Figures:
        """Measure the agent, and beside it a bare loop that waits for a line and patches."""
        site.tell("xid: the agent of a machine whose GPUs fail")
        ring = _Ring(path=site.folder / "kmsg")
        await asyncio.to_thread(_prepare, site.folder, ring.path)
        async with server.started("emulated", site, nodes=0, standins=2) as emulated:
            client = Client(emulated.transport, manager="bench")
            nodes = (await client.listing(NODES)).items
            other, ours = [(each.metadata.name, each.metadata.uid) for each in nodes]
            luck = Random(1)  # noqa: S311 - chance, not secrecy
            failing = _Failing(ring=ring, server=emulated, luck=luck)
            found = list[float]()
            for number in range(self.rounds):
                command = _agent(site.folder, ring.path, *ours, number)
                async with program.running(f"agent-{number}", command, site.folder) as agent:
                    await program.until(agent, lambda: _says(client, ours[0], 0), "report")
                    found += await failing.played(self.xids, _following(client, ours[0]))
            standins = Standins(client=client, uids=dict([other]), since=clocks.wall())
            await standins.begin()
            site.tell("  a bare loop that waits for a line")
            bare = _Bare(path=ring.path, standins=standins, name=other[0])
            theirs = await failing.played(self.rounds * self.xids, bare.follow)
        line, least = latency(found), latency(theirs)
        return {
            "line_to_nodehealth": line,
            "bare_loop": least,
            "line_to_nodehealth_to_bare_loop": ratio(_p50(line), _p50(least)),
        }


def _prepare(folder: Path, path: Path) -> None:
    os.mkfifo(path)
    (folder / "boot").write_text("bench-boot\n", encoding="utf-8")
    others = [name for name in discovery.names(_PROBES) if name != "xids"]
    lines = ["probes:", *(f"  {name}: off" for name in others), ""]
    (folder / "agent.yaml").write_text("\n".join(lines), encoding="utf-8")


@dataclass(slots=True, kw_only=True)
class _Ring:
    """A kernel's log in a FIFO."""

    path: Path
    written: int = field(default=0)

    def write(self) -> float:
        """Let a GPU fail; return when, by the clock that all processes share."""
        self.written += 1
        code = _CODES[self.written % len(_CODES)]
        at = time.perf_counter()
        text = f"NVRM: Xid (PCI:0000:3b:00): {code}, pid=4711, name=python, Something broke"
        with self.path.open("w", encoding="utf-8") as file:
            file.write(f"2,{self.written},{round(at * 1e6)},-;{text}\n")
        return at


Follow = Callable[[int], Awaitable[int]]
"""Waits until so many XIDs were reported, and returns the version of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failing:
    ring: _Ring
    server: Server
    luck: Random

    async def played(self, xids: int, follow: Follow) -> list[float]:
        """Write one XID after the other; return the seconds until each was reported."""
        begun = dict[int, float]()
        for number in range(xids):
            await asyncio.sleep(_SETTLED + self.luck.uniform(0, 0.5))
            following = asyncio.ensure_future(follow(number + 1))
            await asyncio.sleep(0.05)  # it must be listening
            at = await asyncio.to_thread(self.ring.write)
            async with asyncio.timeout(_WITHIN):
                begun[await following] = at
        commits = await self.server.ask("commits", list[Commit])
        return [each.at - begun[each.version] for each in commits if each.version in begun]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bare:
    """Waits for a line and patches: the least that can be done."""

    path: Path
    standins: Standins
    name: str

    async def follow(self, count: int) -> int:
        """Report the next line."""
        door = await doors.opened(self.path)
        try:
            await door.ready()
            door.read(_SIZE)
            return await self.standins.report(self.name, count)
        finally:
            door.close()


def _following(client: Client, name: str) -> Follow:
    async def follow(count: int) -> int:
        version = (await client.listing(NODE_HEALTHS)).resource_version
        async with aclosing(client.watch(NODE_HEALTHS, since=version)) as events:
            async for event in events:
                seen = event.object
                if seen is not None and seen.metadata.name == name and _tells(seen.status, count):
                    return int(seen.metadata.resource_version)
        raise MeasurementError("the watch ended before the agent reported")

    return follow


def _agent(folder: Path, kmsg: Path, name: str, uid: str, number: int) -> list[str]:
    return processes.nodemend(
        "agent",
        *("--kubeconfig", folder / "emulated" / AGENT_KUBECONFIG),
        *("--node", name, "--node-uid", uid),
        *("--boot-id", folder / "boot", "--kmsg", kmsg),
        *("--config", folder / "agent.yaml"),
        *("--state-file", folder / f"agent-{number}.json"),
    )


async def _says(client: Client, node: str, count: int) -> bool:
    try:
        health = await client.get(NODE_HEALTHS, node)
    except errors.GoneError:
        return False
    return _tells(health.status, count) and bool(health.status.probes)


def _tells(status: NodeHealthStatus, count: int) -> bool:
    return sum(each.count for each in status.events if each.name == "gpu.xid") == count


def _p50(found: Figures) -> float:
    median = found.get("p50_ms")
    return median if isinstance(median, float) else 0.0
