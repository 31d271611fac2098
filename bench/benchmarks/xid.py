"""From a line in the kernel's log to the XID's being in the NodeHealth, by the real agent."""

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

from agent.host import doors
from agent.host.guard import Guard
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
from nodehealth.signals import Knowledge
from nodemend.demo import processes
from simulator.driver import recording
from simulator.driver.build import BuildError
from simulator.driver.control import Driver

_SIZE: Final = 8192
_WITHIN: Final = 60.0
_SETTLED: Final = 1.2
"""Seconds between two XIDs beside chance: the agent leaves one between any two writes."""
_PROBES: Final = "agent.probes"
_CODES: Final = (46, 48, 62, 95, 140, 143)
_STAND_IN: Final = "h100x8"
_GPUS: Final = 8


_NUMBERS: Final = itertools.count(1)
"""Records of a log are numbered from the start of the machine, whoever writes them; agents
and their boots are told apart by others of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid(Benchmark):
    """Lets GPUs fail, each after a moment of quiet, as the kernel's log and as NVML tells it.

    The agent has the probe of XIDs alone at first; then all of its probes on this machine, with a
    stand-in driver of eight GPUs below them.
    """

    rounds: int = 5
    """How often the agent is started anew, so that it never has to save its writes."""
    xids: int = 8
    """How many XIDs a round has: an urgent change is written ten times before it has to wait."""

    async def measure(self, site: Site) -> Figures:
        """Measure the agent, and beside it a bare loop that waits for a line and patches."""
        ring = _Ring(path=site.folder / "kmsg")
        await asyncio.to_thread(_prepare, site.folder, ring.path)
        async with server.started("emulated", site, nodes=0, standins=2) as emulated:
            client = Client(emulated.transport, manager="bench")
            nodes = (await client.listing(NODES)).items
            other, ours = [(each.metadata.name, each.metadata.uid) for each in nodes]
            run = _Run(site=site, client=client, kmsg=ring.path, name=ours[0], uid=ours[1])
            failing = _Failing(fail=ring.write, server=emulated, luck=Random(1))  # noqa: S311 - chance, not secrecy
            site.tell("xid: the agent of a machine whose GPUs fail")
            line = latency(await self._found(run, failing))
            site.tell("  the agent with all its probes, and a driver")
            whole = await self._of_whole(run, failing, ring)
            standins = Standins(client=client, uids=dict([other]), since=clocks.wall())
            await standins.begin()
            site.tell("  a bare loop that waits for a line")
            bare = _Bare(path=ring.path, standins=standins, name=other[0])
            least = latency(await failing.played(self.rounds * self.xids, bare.follow))
        return {
            "line_to_nodehealth": line,
            **whole,
            "bare_loop": least,
            "line_to_nodehealth_to_bare_loop": ratio(_p50(line), _p50(least)),
        }

    async def _of_whole(self, run: "_Run", failing: "_Failing", ring: "_Ring") -> Figures:
        """Measure the whole agent, by the log and by NVML; nothing where no driver can be made."""
        driver = Driver(run.site.folder / "driver")
        try:
            await asyncio.to_thread(_install, driver)
            pci = await asyncio.to_thread(driver.pci, 0)
            whole = replace(run, driver=driver)
            log = replace(failing, fail=replace(ring, pci=pci[:-2]).write)
            nvml = replace(failing, fail=_Nvml(driver=driver).tell)
            return {
                "whole_agent_line_to_nodehealth": latency(await self._found(whole, log)),
                "whole_agent_event_to_nodehealth": latency(await self._found(whole, nvml)),
            }
        except BuildError as missing:
            return {"whole_agent": f"not measured: {missing}"}
        finally:
            await asyncio.to_thread(driver.close)

    async def _found(self, run: "_Run", failing: "_Failing") -> list[float]:
        """Return the seconds of each XID, of agents that are started one after the other."""
        found = list[float]()
        for _ in range(self.rounds):
            name, command = await asyncio.to_thread(run.command)
            async with program.running(name, command, run.site.folder) as agent:
                await program.until(agent, run.has_settled, "report")
                found += await failing.played(self.xids, _following(run.client, run.name))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """How the agent is run."""

    site: Site
    client: Client
    kmsg: Path
    name: str
    uid: str
    driver: Driver | None = None
    """The driver that it has beside all probes; nothing where it has that of XIDs alone."""

    def command(self) -> tuple[str, list[str]]:
        """Return how an agent is run that was never run before, and what it is called."""
        folder, driver, state = self.site.folder, self.driver, f"{next(_NUMBERS)}"
        environ = {**driver.environ(), "NVML_LIBRARIES": f"{driver.folder}"} if driver else {}
        command = processes.nodemend(
            "agent",
            *("--kubeconfig", folder / "emulated" / AGENT_KUBECONFIG),
            *("--node", self.name, "--node-uid", self.uid),
            *("--boot-id", folder / f"boot-{state}", "--kmsg", self.kmsg),
            *(() if driver else ("--config", folder / "agent.yaml")),
            *("--state-file", folder / f"{state}.json"),
        )
        (folder / f"boot-{state}").write_text(f"{state}\n", encoding="utf-8")
        words = [f"{name}={value}" for name, value in environ.items()]
        return f"agent-{state}", ["env", *words, *command]

    async def has_settled(self) -> bool:
        """Say whether it has reported all, and that nothing happened yet."""
        try:
            status = (await self.client.get(NODE_HEALTHS, self.name)).status
        except errors.GoneError:
            return False
        levels = {each.name for each in status.levels if each.knowledge is Knowledge.KNOWN}
        is_whole = self.driver is None or "gpu.recovery_action" in levels
        return _tells(status, 0) and bool(status.probes) and is_whole


def _install(driver: Driver) -> None:
    driver.install(recording.load(_STAND_IN))


def _prepare(folder: Path, path: Path) -> None:
    os.mkfifo(path)
    others = [name for name in discovery.names(_PROBES) if name != "xids"]
    lines = ["probes:", *(f"  {name}: off" for name in others), "nvml: off", ""]
    (folder / "agent.yaml").write_text("\n".join(lines), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    """A kernel's log in a FIFO."""

    path: Path
    pci: str = "0000:3b:00"

    def write(self) -> float:
        """Let a GPU fail; return when, by the clock that all processes share."""
        number = next(_NUMBERS)
        code = _CODES[number % len(_CODES)]
        at = time.perf_counter()
        text = f"NVRM: Xid (PCI:{self.pci}): {code}, pid=4711, name=python, Something broke"
        with self.path.open("w", encoding="utf-8") as file:
            file.write(f"2,{number},{round(at * 1e6)},-;{text}\n")
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nvml:
    """NVML, in a stand-in."""

    driver: Driver

    def tell(self) -> float:
        """Let a GPU fail; likewise."""
        number = next(_NUMBERS)
        at = time.perf_counter()
        self.driver.xid(number % _GPUS, _CODES[number % len(_CODES)])
        return at


Follow = Callable[[int], Awaitable[int]]
"""Waits until so many XIDs were reported, and returns the version of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failing:
    fail: Callable[[], float]
    server: Server
    luck: Random

    async def played(self, xids: int, follow: Follow) -> list[float]:
        """Write one XID after the other; return the seconds until each was reported."""
        begun = dict[int, float]()
        for number in range(xids):
            await asyncio.sleep(_SETTLED + self.luck.uniform(0, 0.5))
            following = asyncio.ensure_future(follow(number + 1))
            await asyncio.sleep(0.05)  # it must be listening
            at = await asyncio.to_thread(self.fail)
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
        door = await doors.opened(self.path, Guard())
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


def _tells(status: NodeHealthStatus, count: int) -> bool:
    return sum(each.count for each in status.events if each.name == "gpu.xid") == count


def _p50(found: Figures) -> float:
    median = found.get("p50_ms")
    return median if isinstance(median, float) else 0.0
