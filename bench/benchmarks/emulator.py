"""The emulated API server over HTTP: lists, watches, patches, memory, and how long it pauses."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from bench import exercise, server
from bench.benchmark import Benchmark, Site
from bench.exercise import Exercise, Plan
from bench.figures import Figures, ratio, short, spread
from bench.server import Server
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator(Benchmark):
    """Measures the emulator, and then a server that answers the same with fixed bytes."""

    plan: Plan = field(default_factory=Plan)

    async def measure(self, site: Site) -> Figures:
        """Measure each part of both right after one another: the machine's mood changes."""
        scale = site.scale
        site.tell(f"emulator: {scale.nodes} nodes and {scale.pods} pods")
        async with server.started("emulated", site, nodes=scale.nodes, pods=scale.pods) as emulated:
            names = [each.metadata.name for each in (await exercise.listed(emulated)).items]
            sizes = await exercise.sizes(emulated, names)
            async with server.started("bare", site, **sizes) as bare:
                ours = Exercise(plan=self.plan, server=emulated, names=names)
                theirs = Exercise(plan=self.plan, server=bare, names=names)
                for name, part in ours.parts().items():
                    site.tell(f"  {name}, and the same against fixed bytes")
                    await ours.measure(name, part)
                    await theirs.measure(name, theirs.parts()[name])
            await ours.measure("paged_list", partial(self._paged, emulated))
            memory = await emulated.ask("memory", dict[str, float])
        return {
            "scale": {"nodes": scale.nodes, "pods": scale.pods},
            "emulator": {"start": _start(emulated), **ours.figures, "memory": memory},
            "fixed_bytes": theirs.figures,
            "emulator_to_fixed_bytes": {
                name: ratio(value, theirs.key[name]) for name, value in ours.key.items()
            },
        }

    async def _paged(self, emulated: Server) -> Figures:
        """List as a reflector does: page by page, all pages of the same version, into types."""
        client = Client(emulated.transport, manager="bench")
        return {
            NODES.plural: {"ms": await self._rounds(lambda: client.listing(NODES))},
            PODS.plural: {"ms": await self._rounds(lambda: client.listing(PODS))},
        }

    async def _rounds(self, work: Callable[[], Awaitable[object]]) -> Figures:
        took = []
        for _ in range(self.plan.rounds):
            begun = time.perf_counter()
            await work()
            took.append(1000 * (time.perf_counter() - begun))
        return spread(took)


def _start(of: Server) -> Figures:
    return {"until_serving_s": short(of.ready_s), "founding_s": short(of.founded_s)}
