"""Whole repairs by the whole remediator, in virtual time: how many a minute, and what each asks.

Beside it is the least that a repair can ask of the API server: to cordon the Node, to evict each of
its pods, to have the machine replaced, and to uncordon the Node.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from bench.benchmark import Benchmark, Site
from bench.draining import Count
from bench.figures import Figures, ratio, short
from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.repair import NODE_REPAIRS, Phase
from remediator.files import Loaded, Place, loaded
from remediator.replica import Replica
from simulator import virtualtime
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.scenario import Budget, Pool, Scenario, Workload
from simulator.timings import Timings

_RULE: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: disk-full}
spec:
  about: A filesystem is full.
  severity: critical
  when: {signal: disk.free_ratio, where: "value < 0.02", for: 0s}
  verify: 30s
  ladder: [drain, replace]
"""
_POLICY: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  limits: {cordoned: "100%", disrupted: AT_ONCE}
  rate: {cordons: unlimited, disruptions: unlimited}
  pools:
    - name: all
      limits: {cordoned: "100%", disrupted: AT_ONCE}
      rate: {cordons: unlimited, disruptions: unlimited}
  breakers: never
  provider: simulator
"""
_PODS: Final = 22
"""How many run on a node."""
_LOOK_AGAIN: Final = 1.0
_WITHIN: Final = timedelta(hours=6)
_AROUND: Final = 3
"""What the least needs beside evictions: the cordon, the replacement, the uncordon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs(Benchmark):
    """Fills a disk on many nodes at once, and waits until all of them are well again."""

    nodes: int = 100
    sick: int = 50
    at_once: int = 5

    async def measure(self, site: Site) -> Figures:
        """Measure in a thread, on a loop of its own whose clock jumps."""
        await asyncio.to_thread(self._prepare, site.folder)
        site.tell(f"repairs: {self.sick} of {self.nodes} nodes, {self.at_once} at once")
        place = Place(rules=site.folder / "rules", policy=site.folder / "policy.yaml")
        files = await asyncio.to_thread(loaded, place)
        return await asyncio.to_thread(self._played, files)

    def _prepare(self, folder: Path) -> None:
        (folder / "rules").mkdir(parents=True)
        (folder / "rules" / "disk-full.yaml").write_text(_RULE, encoding="utf-8")
        policy = _POLICY.replace("AT_ONCE", str(self.at_once))
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")

    def _played(self, files: Loaded) -> Figures:
        began = time.process_time()
        count, minutes = virtualtime.run(self._repaired(files))
        calls, least = count.calls.total(), count.evicted + _AROUND * self.sick
        return {
            "repairs": self.sick,
            "at_once": self.at_once,
            "minutes": short(minutes),
            "repairs_per_minute": short(self.sick / minutes),
            "pods_evicted": count.evicted,
            "calls": calls,
            "calls_per_repair": short(calls / self.sick),
            "writes_per_repair": short(_writes(count.calls) / self.sick),
            "calls_to_least": ratio(calls, least),
            "cpu_ms_per_repair_with_cluster": short(
                1000 * (time.process_time() - began) / self.sick
            ),
            "by_kind": dict(sorted(count.calls.items())),
        }

    async def _repaired(self, files: Loaded) -> tuple[Count, float]:
        clock, count = virtualtime.clock(), Count()
        async with Cluster(self._plan(), clock=clock) as cluster:
            client = cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
            replica = Replica(files, client=client, clock=clock, random=Random(1))  # noqa: S311 - repeatable on purpose
            tasks: list[asyncio.Task[None]] = [
                asyncio.create_task(each.run()) for each in replica.reflectors
            ]
            tasks.append(asyncio.create_task(replica.lead()))
            await asyncio.sleep(_LOOK_AGAIN)
            cluster.api.on_request(count.hear)
            for name in tuple(cluster.places)[: self.sick]:
                cluster.inject(name, {"disk-full": {"mount": "/scratch"}})
            lasted = await self._until_well(cluster.client("bench"), clock())
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return count, lasted / timedelta(minutes=1)

    async def _until_well(self, client: Client, begun: datetime) -> timedelta:
        """Wait until every repair has ended."""
        clock = virtualtime.clock()
        while clock() - begun < _WITHIN:
            await asyncio.sleep(_LOOK_AGAIN)
            repairs = (await client.listing(NODE_REPAIRS)).items
            ended = [each for each in repairs if each.status.phase is Phase.RECOVERED]
            if len(ended) >= self.sick:
                break
        return clock() - begun

    def _plan(self) -> Scenario:
        """Describe workloads of which a tenth may be away at once; pods end in ten seconds."""
        return Scenario(
            pools=(Pool(name="all", nodes=self.nodes),),
            workloads=tuple(
                Workload(
                    name=f"web-{number}",
                    namespace=f"team-{number}",
                    replicas=_PODS,
                    stops_after=timedelta(seconds=10),
                    budget=Budget(max_unavailable="10%"),
                )
                for number in range(self.nodes)
            ),
            timings=Timings(provision=timedelta(minutes=2), join=timedelta(seconds=20)),
        )


def _writes(calls: Counter[str]) -> int:
    reads = ("get ", "list ", "watch ")
    return sum(count for kind, count in calls.items() if not kind.startswith(reads))
