"""From a change on the machine to its being in the NodeHealth, by the real agent over HTTP."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

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

_MUCH: Final = 800
_LITTLE: Final = 30
_TOTAL: Final = 1000
_PROBES: Final = "agent.probes"
_WITHIN: Final = 60.0
_SETTLED: Final = 1.2
"""Seconds between two changes beside chance: the agent leaves one between any two writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Benchmark):
    """Takes the memory of a machine away and gives it back, in a tree that the agent reads."""

    rounds: int = 5
    """How often the agent is started anew, so that it never has to save its writes."""
    changes: int = 4
    """How many changes a round has: an agent writes five times before it writes seldom."""
    interval: int = 1
    """How many seconds apart the agent asks its probe."""

    async def measure(self, site: Site) -> Figures:
        """Measure the agent, and beside it a bare loop that looks and patches as often."""
        site.tell("report: the agent of a machine whose memory comes and goes")
        machine = _Machine(site.folder / "machine")
        await asyncio.to_thread(machine.prepare, self.interval)
        async with server.started("emulated", site, nodes=0, standins=2) as emulated:
            client = Client(emulated.transport, manager="bench")
            nodes = (await client.listing(NODES)).items
            other, ours = [(each.metadata.name, each.metadata.uid) for each in nodes]
            changing = _Changing(
                machine=machine,
                server=emulated,
                interval=self.interval,
                luck=Random(1),  # noqa: S311 - chance, not secrecy
            )
            found = list[float]()
            for number in range(self.rounds):
                await asyncio.to_thread(machine.become, _MUCH)
                command = _agent(site.folder, machine, *ours, number)
                async with program.running(f"agent-{number}", command, site.folder) as agent:
                    await program.until(agent, lambda: _says(client, ours[0], _MUCH), "report")
                    follow = _following(client, ours[0])
                    found += await changing.played(self.changes, follow)
            standins = Standins(client=client, uids=dict([other]), since=clocks.wall())
            await standins.begin()
            site.tell("  a bare loop that looks as often")
            bare = _Bare(
                machine=machine,
                standins=standins,
                name=other[0],
                interval=self.interval,
                luck=Random(2),  # noqa: S311 - chance, not secrecy
            )
            theirs = await changing.played(self.rounds * self.changes, bare.follow)
        change, least = latency(found), latency(theirs)
        return {
            "probe_interval_s": self.interval,
            "change_to_nodehealth": change,
            "bare_loop": least,
            "change_to_nodehealth_to_bare_loop": ratio(_p50(change), _p50(least)),
        }


@dataclass(frozen=True, slots=True)
class _Machine:
    """A tree like that of a host, in which only memory changes."""

    folder: Path

    @property
    def meminfo(self) -> Path:
        """The file that is looked at."""
        return self.folder / "proc/meminfo"

    def prepare(self, interval: int) -> None:
        """Make the tree, and settings that leave only the probe of memory."""
        self.meminfo.parent.mkdir(parents=True)
        (self.folder / "boot").write_text("bench-boot\n", encoding="utf-8")
        others = [name for name in discovery.names(_PROBES) if name != "memory"]
        lines = [f"  memory: {{interval: {interval}s}}", *(f"  {name}: off" for name in others)]
        text = "\n".join(["probes:", *lines, ""])
        (self.folder / "agent.yaml").write_text(text, encoding="utf-8")
        self.become(_MUCH)

    def become(self, available: int) -> float:
        """Let so much memory be available; return when, by the clock that all processes share."""
        text = f"MemTotal: {_TOTAL} kB\nMemAvailable: {available} kB\n"
        fresh = self.meminfo.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.meminfo)
        return time.perf_counter()

    def available(self) -> int:
        """Read how much is available now."""
        return int(self.meminfo.read_text(encoding="utf-8").split()[-2])


Follow = Callable[[int], Awaitable[int]]
"""Waits until something was reported, and returns the version of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changing:
    machine: _Machine
    server: Server
    interval: int
    luck: Random

    async def played(self, changes: int, follow: Follow) -> list[float]:
        """Change the machine again and again; return the seconds until each was reported."""
        begun = dict[int, float]()
        for _ in range(changes):
            await asyncio.sleep(_SETTLED + self.luck.uniform(0, self.interval))
            await self._change(follow, begun)
        commits = await self.server.ask("commits", list[Commit])
        return [each.at - begun[each.version] for each in commits if each.version in begun]

    async def _change(self, follow: Follow, begun: dict[int, float]) -> None:
        before = await asyncio.to_thread(self.machine.available)
        now = _LITTLE if before == _MUCH else _MUCH
        following = asyncio.ensure_future(follow(now))
        await asyncio.sleep(0)
        at = await asyncio.to_thread(self.machine.become, now)
        async with asyncio.timeout(_WITHIN):
            begun[await following] = at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bare:
    """Looks at one file now and then, and patches when it changed: the least that can be done."""

    machine: _Machine
    standins: Standins
    name: str
    interval: int
    luck: Random

    async def follow(self, available: int) -> int:
        """Report the change when it is seen, at some moment between two looks."""
        await asyncio.sleep(self.luck.uniform(0, self.interval))
        while await asyncio.to_thread(self.machine.available) != available:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(self.interval)
        return await self.standins.report(self.name, available / _TOTAL)


def _following(client: Client, name: str) -> Follow:
    async def follow(available: int) -> int:
        version = (await client.listing(NODE_HEALTHS)).resource_version
        async with aclosing(client.watch(NODE_HEALTHS, since=version)) as events:
            async for event in events:
                seen = event.object
                if seen is not None and seen.metadata.name == name and _is(seen.status, available):
                    return int(seen.metadata.resource_version)
        raise MeasurementError("the watch ended before the agent reported")

    return follow


def _agent(folder: Path, machine: _Machine, name: str, uid: str, number: int) -> list[str]:
    return processes.nodemend(
        "agent",
        *("--kubeconfig", folder / "emulated" / AGENT_KUBECONFIG),
        *("--node", name, "--node-uid", uid),
        *("--root", machine.folder, "--boot-id", machine.folder / "boot"),
        *("--config", machine.folder / "agent.yaml"),
        *("--state-file", folder / f"agent-{number}.json"),
    )


async def _says(client: Client, node: str, available: int) -> bool:
    try:
        health = await client.get(NODE_HEALTHS, node)
    except errors.GoneError:
        return False
    return _is(health.status, available)


def _is(status: NodeHealthStatus, available: int) -> bool:
    """Say whether a report tells of much memory or of little, as it is."""
    values = [each.value for each in status.levels if each.name == "memory.available_ratio"]
    return any(value is not None and (value > 0.5) is (available == _MUCH) for value in values)


def _p50(found: Figures) -> float:
    median = found.get("p50_ms")
    return median if isinstance(median, float) else 0.0
