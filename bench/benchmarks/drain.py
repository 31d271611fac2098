"""How long a drain of many nodes takes within limits, and what it asks of the API server."""

import asyncio
from dataclasses import dataclass

from bench import draining
from bench.benchmark import Benchmark, Site
from bench.draining import Fleet
from bench.figures import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Benchmark):
    """Drains a fleet in virtual time, and the same fleet once more by a loop for each pod."""

    nodes: int = 500
    pods: int = 11_000
    at_once: int = 25
    """How many nodes may be disrupted at once: five percent, as the shipped policy has it."""

    async def measure(self, site: Site) -> Figures:
        """Measure in a thread, on a loop of its own whose clock jumps."""
        fleet = Fleet(nodes=self.nodes, pods=self.pods, at_once=self.at_once)
        site.tell(f"drain: {self.pods} pods on {self.nodes} nodes, by nodemend")
        ours = await asyncio.to_thread(fleet.drained, draining.ours)
        site.tell("drain: the same once more, as kubectl does it")
        theirs = await asyncio.to_thread(fleet.drained, draining.by_pod)
        return {"ours": ours, "kubectl": theirs, **draining.compared(ours, theirs)}
