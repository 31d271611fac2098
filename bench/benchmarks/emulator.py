"""The emulated API server over HTTP: lists, watches, patches, memory, and how long it pauses."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench import exercise, server
from bench.benchmark import Benchmark, Site
from bench.exercise import Exercise, Plan
from bench.figures import Figures, ratio, short, spread
from bench.load import Patching
from bench.server import Server
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator(Benchmark):
    """Measures the emulator, and then a server that answers the same with fixed bytes."""

    plan: Plan = field(default_factory=Plan)

    async def measure(self, site: Site) -> Figures:
        """Measure both, one after the other."""
        scale = site.scale
        site.tell(f"emulator: {scale.nodes} nodes and {scale.pods} pods")
        async with server.started("emulated", site, nodes=scale.nodes, pods=scale.pods) as emulated:
            names = [each.metadata.name for each in (await exercise.listed(emulated)).items]
            ours = Exercise(plan=self.plan, site=site, server=emulated, names=names)
            sizes = await _sizes(emulated, names)
            await ours.run()
            await ours.measured("paged_list", self._paged(emulated))
            start = _start(emulated)
        site.tell("emulator: the same against fixed bytes")
        async with server.started("bare", site, **sizes, event=ours.event_bytes) as bare:
            theirs = Exercise(plan=self.plan, site=site, server=bare, names=names)
            await theirs.run()
        return {
            "scale": {"nodes": scale.nodes, "pods": scale.pods},
            "emulator": {"start": start, **ours.figures},
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


async def _sizes(of: Server, names: list[str]) -> dict[str, int]:
    """Measure how many bytes its answers have."""
    patched = len(await Patching(of.transport, names)())
    found = {plural: await exercise.size(of, plural) for plural in exercise.PLURALS}
    return {**found, "patched": patched}
