"""From a fault's being visible to its node's being cordoned, by the real remediator over HTTP."""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import program, server
from bench.benchmark import Benchmark, Site
from bench.cordoning import Cordoning
from bench.emulated import AGENT_KUBECONFIG, REMEDIATOR_KUBECONFIG
from bench.figures import Figures, ratio, short
from bench.standins import Standins
from nodehealth import keys
from nodehealth.health import NODE_HEALTHS
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS
from nodemend.demo import processes

_RULE: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: disk-full}
spec:
  about: A filesystem is full.
  severity: critical
  when: {signal: disk.free_ratio, where: "value < 0.02", for: 0s}
  ladder: [drain, replace]
"""
_POLICY: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  limits: {cordoned: "100%", disrupted: 0}
  rate: {cordons: unlimited}
  pools:
    - name: all
      limits: {cordoned: "100%", disrupted: 0}
      rate: {cordons: unlimited}
  breakers: never
  provider: simulator
"""
"""Everything may be cordoned and nothing disrupted: only the cordon is measured."""
_START: Final = 0.5
_BARE: Final = "import asyncio; asyncio.run(asyncio.Event().wait())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread(Benchmark):
    """Measures the way of a fault in clusters of some sizes, and what our programs cost."""

    sizes: tuple[int, ...] = (100, 1000)
    samples: int = 50
    """How many nodes fall sick one by one; all others do at once."""
    pace: float = 4.0
    """How many of them a second."""
    idle: float = 20.0
    """For how many seconds a program is observed while nothing happens."""

    async def measure(self, site: Site) -> Figures:
        """Measure each size in a cluster of its own."""
        return {f"nodes_{size}": await self._sized(site, size) for size in self.sizes}

    async def _sized(self, site: Site, size: int) -> Figures:
        place = Site(scale=site.scale, folder=site.folder / str(size), core=site.core)
        await asyncio.to_thread(prepare, place.folder)
        site.tell(f"thread: {size} nodes")
        async with server.started("emulated", place, standins=size + 1) as emulated:
            client = Client(emulated.transport, manager="bench")
            nodes = (await client.listing(NODES)).items
            *ours, agents = [(each.metadata.name, each.metadata.uid) for each in nodes]
            standins = Standins(client=client, uids=dict(ours), since=clocks.wall())
            await standins.begin()
            cordoning = Cordoning(server=emulated, client=client, standins=standins)
            found = await self._remediated(place, cordoning, [name for name, _ in ours])
            site.tell("  the agent of this machine")
            return {**found, "agent": await self._agent(place, client, *agents)}

    async def _remediated(self, site: Site, cordoning: Cordoning, names: list[str]) -> Figures:
        """Measure the remediator, and the floor below it."""
        singles, others = names[: self.samples], names[self.samples :]
        site.tell("  one watch that answers with one patch")
        reflex = await cordoning.reflex(singles, self.pace)
        folder = site.folder
        command = processes.nodemend(
            "remediator",
            *("--kubeconfig", folder / "emulated" / REMEDIATOR_KUBECONFIG),
            *("--rules", folder / "rules", "--policy", folder / "policy.yaml"),
        )
        begun = time.perf_counter()
        async with program.running("remediator", command, folder) as remediator:
            await program.until(remediator, lambda: _leads(cordoning.client), "leader")
            leads = time.perf_counter() - begun
            site.tell("  the remediator, idle")
            idle = await program.idling(remediator, self.idle)
            site.tell("  faults one by one")
            quiet = await cordoning.quiet(singles, self.pace, remediator)
            site.tell(f"  {len(others)} faults at once")
            burst = await cordoning.burst(others, remediator)
        return {
            "watch_and_one_patch": reflex,
            "fault_to_cordon": quiet,
            "fault_to_cordon_to_watch_and_one_patch": ratio(_p50(quiet), _p50(reflex)),
            "burst": {"faults": len(others), **burst},
            "remediator": {"until_leading_s": short(leads), "idle": idle},
        }

    async def _agent(self, site: Site, client: Client, name: str, uid: str) -> Figures:
        """Measure the real agent of this machine as it comes, beside a Python that does nothing."""
        command = processes.nodemend(
            "agent",
            *("--kubeconfig", site.folder / "emulated" / AGENT_KUBECONFIG),
            *("--node", name, "--node-uid", uid),
            *("--state-file", site.folder / "agent.json"),
        )
        async with program.running("agent", command, site.folder) as agent:
            await program.until(agent, lambda: _has_spoken(client, name), "report")
            ours = await program.idling(agent, self.idle)
        bare = [sys.executable, "-c", _BARE]
        async with program.running("python", bare, site.folder) as python:
            await asyncio.sleep(_START)
            theirs = await program.idling(python, _START)
        return {**ours, "bare_python": theirs}


def prepare(folder: Path) -> None:
    """Write down the one rule, and a policy that lets it do all."""
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "disk-full.yaml").write_text(_RULE, encoding="utf-8")
    (folder / "policy.yaml").write_text(_POLICY, encoding="utf-8")


async def _leads(client: Client) -> bool:
    """Tell whether a remediator has begun to act: the first thing it makes is the ledger."""
    try:
        await client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
    except errors.GoneError:
        return False
    return True


async def _has_spoken(client: Client, node: str) -> bool:
    try:
        health = await client.get(NODE_HEALTHS, node)
    except errors.GoneError:
        return False
    return bool(health.status.levels)


def _p50(found: Figures) -> float:
    median = found.get("p50_ms")
    return median if isinstance(median, float) else 0.0
