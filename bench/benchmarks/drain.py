"""How long a drain of many nodes takes within limits, and what it asks of the API server."""

import asyncio
from dataclasses import dataclass

from bench import draining
from bench.benchmark import Benchmark, Site
from bench.draining import Fleet
from bench.figures import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Benchmark):
    """Drains a fleet in virtual time, and a smaller one in two ways."""

    nodes: int = 500
    pods: int = 11_000
    at_once: int = 25
    """How many nodes may be disrupted at once: five percent, as the shipped policy has it."""

    compared: int = 12
    """By how many times smaller the fleet is that both drain: calls a pod do not depend on it."""

    async def measure(self, site: Site) -> Figures:
        """Measure in a thread, on a loop of its own whose clock jumps."""
        fleet = Fleet(nodes=self.nodes, pods=self.pods, at_once=self.at_once)
        few = fleet.smaller(self.compared)
        site.tell(f"drain: {fleet.pods} pods on {fleet.nodes} nodes, by nodemend")
        whole = await asyncio.to_thread(fleet.drained, draining.ours)
        site.tell(
            f"drain: {few.pods} pods on {few.nodes} nodes, by nodemend and as kubectl does it"
        )
        ours = await asyncio.to_thread(few.drained, draining.ours)
        theirs = await asyncio.to_thread(few.drained, draining.by_pod)
        beside = {"ours": ours, "kubectl": theirs, **draining.compared(ours, theirs)}
        return {"whole": whole, "beside": beside}
