"""How long it takes from a NodeHealth's write to its Node's cordon, one by one and all at once."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from bench import cores, tracks
from bench.figures import Figures, latency, short
from bench.server import Server
from bench.standins import FULL, Standins
from bench.tracks import Commit
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodemend.demo.processes import Program

_MARK: Final = "bench.nodemend.dev/seen"
_LESS: Final = 0.5
"""A level that no rule minds."""
_WITHIN: Final = 60.0
_LOOK_AGAIN: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cordoning:
    """Makes nodes sick and sees from the server's notes what follows."""

    server: Server
    client: Client
    standins: Standins
    commits: list[Commit] = field(default_factory=list)

    async def reflex(self, names: Iterable[str], pace: float) -> Figures:
        """Measure the least that is possible: a watch that answers every event with one patch."""
        version = (await self.client.listing(NODE_HEALTHS)).resource_version
        answering = asyncio.create_task(self._answer(version))
        try:
            written = await self._one_by_one(names, _LESS, pace)
            return latency([*(await self._followed(written, cordoned=False)).values()])
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def quiet(self, names: Iterable[str], pace: float, remediator: Program) -> Figures:
        """Make one node sick after the other."""
        before, _ = cores.usage(remediator.pid)
        written = await self._one_by_one(names, FULL, pace)
        found = await self._followed(written, cordoned=True)
        return {**latency([*found.values()]), **_cost(remediator, before, written, found)}

    async def one(self, name: str, value: float) -> float:
        """Make one node sick; return the seconds until it was cordoned."""
        written = {name: await self.standins.report(name, value)}
        return (await self._followed(written, cordoned=True))[name]

    async def burst(self, names: Iterable[str], remediator: Program) -> Figures:
        """Make many nodes sick at once."""
        before, _ = cores.usage(remediator.pid)
        begun = time.perf_counter()
        written = await self.standins.report_all(names, FULL)
        reported = time.perf_counter() - begun
        found = await self._followed(written, cordoned=True)
        return {
            "until_all_reported_s": short(reported),
            "until_all_cordoned_s": short(tracks.lasted(self.commits, written)),
            **latency([*found.values()]),
            **_cost(remediator, before, written, found),
        }

    async def _answer(self, version: str) -> None:
        seen = itertools.count()
        async with aclosing(self.client.watch(NODE_HEALTHS, since=version)) as events:
            async for event in events:
                if event.object is not None:
                    mark = {"metadata": {"annotations": {_MARK: str(next(seen))}}}
                    await self.client.merge_patch(NODES, event.object.metadata.name, mark)

    async def _one_by_one(self, names: Iterable[str], value: float, pace: float) -> dict[str, int]:
        written = {}
        for name in names:
            written[name] = await self.standins.report(name, value)
            await asyncio.sleep(1 / pace)
        return written

    async def _followed(self, written: Mapping[str, int], *, cordoned: bool) -> dict[str, float]:
        """Wait until every write was followed by what it was to bring about, or patience ends."""
        found: dict[str, float] = {}
        for _ in range(int(_WITHIN / _LOOK_AGAIN)):
            self.commits.extend(await self.server.ask("commits", list[Commit]))
            found = tracks.waits(self.commits, written, cordoned=cordoned)
            if len(found) == len(written):
                break
            await asyncio.sleep(_LOOK_AGAIN)
        return found


def _cost(
    remediator: Program, before: float, written: Mapping[str, int], found: Mapping[str, float]
) -> Figures:
    spent, memory = cores.usage(remediator.pid)
    each = 1000 * (spent - before) / len(written)
    lost = len(written) - len(found)
    return {"cpu_ms_per_fault": short(each), "rss_mib": memory, "never_cordoned": lost}
