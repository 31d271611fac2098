"""What a server is put through, whichever it is: lists, watches, patches, and all at once."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

import msgspec

from bench import child, load, server
from bench.figures import Figure, Figures, latency, short, spread
from bench.load import Patching, Watcher
from bench.server import MeasurementError, Server
from nodehealth.kube.transport import Request

Part: TypeAlias = Callable[[], Awaitable[Figures]]

PLURALS: Final = ("nodes", "pods")
_LANES: Final = 8
_RELIST: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how hard."""

    rounds: int = 15
    """How often everything is listed."""
    watchers: tuple[int, ...] = (1, 5, 20)
    seconds: float = 5.0
    """How long each measurement of watches, and of patches flat out, lasts."""
    calm: float = 100.0
    """Patches a second while the age of events is measured."""
    rate: float = 500.0
    """Patches a second while everything goes on at once."""
    together: float = 20.0
    """For how many seconds everything goes on at once."""
    watchers_together: int = 5


@dataclass(slots=True, kw_only=True)
class Exercise:
    """One server being put through it; figures and key numbers gather while it runs."""

    plan: Plan
    server: Server
    names: Sequence[str]
    """The Nodes that are patched."""
    figures: dict[str, Figure] = field(default_factory=dict)
    key: dict[str, float] = field(default_factory=dict)
    """The numbers that are compared between servers, by name."""

    def parts(self) -> Mapping[str, Part]:
        """Return everything that is measured, in order."""
        fans = {f"watch_by_{n}": partial(self._fan_out, n) for n in self.plan.watchers}
        return {
            "list": self._lists,
            **fans,
            "together": self._together,
            "patch_flat_out": self._flat_out,
        }

    async def measure(self, name: str, part: Part) -> None:
        """Do one part and note beside its figures what it cost the server."""
        await self.server.pauses()
        begun, ours, theirs = time.perf_counter(), child.cpu(), await self._cpu()
        found = await part()
        took = time.perf_counter() - begun
        self.figures[name] = {
            **found,
            "pauses": await self.server.pauses(),
            "server_cpu": short((await self._cpu() - theirs) / took),
            "client_cpu": short((child.cpu() - ours) / took),
        }

    async def _cpu(self) -> float:
        return await self.server.ask("cpu", float)

    async def _lists(self) -> Figures:
        took: dict[str, list[float]] = {plural: [] for plural in PLURALS}
        sizes: dict[str, int] = {}
        for plural in PLURALS * self.plan.rounds:
            seconds, body = await load.listed(self.server.transport, plural)
            took[plural].append(1000 * seconds)
            sizes[plural] = len(body)
        self.key |= {f"list_{each}_ms": statistics.median(took[each]) for each in PLURALS}
        return {each: {"ms": spread(took[each]), "bytes": sizes[each]} for each in PLURALS}

    async def _fan_out(self, count: int) -> Figures:
        """Measure how old events are at a calm pace, and how many arrive at most."""
        plan, patch = self.plan, self._patching()
        async with load.watching(self.server.transport, await self._version(), count) as calm:
            await load.paced(patch, plan.calm, plan.seconds)
            await _all_seen(calm, patch.sent)
            ages = [age for each in calm for age in each.waits]
        patch = self._patching()
        async with load.watching(self.server.transport, await self._version(), count) as busy:
            begun = time.perf_counter()
            rate = await load.flat_out(patch, plan.seconds, lanes=_LANES)
            await _all_seen(busy, patch.sent)
            took = max(each.last for each in busy) - begun
        self.key[f"events_per_s_to_{count}"] = sum(len(each.waits) for each in busy) / took
        return {
            "watchers": count,
            "event_bytes": busy[0].size,
            "age_at_calm": {"patches_per_s": plan.calm, **latency(ages)},
            "events_per_s": short(self.key[f"events_per_s_to_{count}"]),
            "patches_per_s": short(rate),
        }

    async def _together(self) -> Figures:
        plan, patch, lists = self.plan, self._patching(), list[float]()

        async def relist() -> None:
            for plural in itertools.cycle(PLURALS):
                seconds, _ = await load.listed(self.server.transport, plural)
                lists.append(seconds)
                await asyncio.sleep(_RELIST)

        version, count = await self._version(), plan.watchers_together
        async with load.watching(self.server.transport, version, count) as watchers:
            relisting = asyncio.create_task(relist())
            begun = time.perf_counter()
            took = await load.paced(patch, plan.rate, plan.together)
            achieved = len(took) / (time.perf_counter() - begun)
            relisting.cancel()
            await asyncio.gather(relisting, return_exceptions=True)
            await _all_seen(watchers, patch.sent)
        self.key["patch_together_p50_ms"] = 1000 * statistics.median(took)
        ages = [age for each in watchers for age in each.waits]
        return {
            "wanted_patches_per_s": plan.rate,
            "patches_per_s": short(achieved),
            "patch": latency(took),
            "watchers": count,
            "event_age": latency(ages),
            "lists": latency(lists),
        }

    async def _flat_out(self) -> Figures:
        patch, before = self._patching(), await self._cpu()
        rate = await load.flat_out(patch, self.plan.seconds, lanes=_LANES)
        cost = 1e6 * (await self._cpu() - before) / patch.sent
        self.key |= {"patches_per_s": rate, "cpu_us_per_patch": cost}
        return {"patches_per_s": short(rate), "in_flight": _LANES, "cpu_us_per_patch": short(cost)}

    def _patching(self) -> Patching:
        return Patching(self.server.transport, self.names)

    async def _version(self) -> str:
        return (await listed(self.server, limit=1)).metadata.resource_version


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Named


class _ListMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    resource_version: str


class NodeList(msgspec.Struct, frozen=True, kw_only=True):
    """Some Nodes, by name, and the version at which they were listed."""

    metadata: _ListMetadata
    items: tuple[_Item, ...]


async def listed(of: Server, *, limit: int = 0) -> NodeList:
    """List Nodes; all of them without a limit."""
    query = {"limit": str(limit)} if limit else {}
    request = Request(method="GET", path="/api/v1/nodes", query=query)
    return msgspec.json.decode(await server.send(of.transport, request), type=NodeList)


async def sizes(of: Server, names: Sequence[str]) -> dict[str, int]:
    """Measure how many bytes a server's answers have."""
    patch = Patching(of.transport, names)
    version = (await listed(of, limit=1)).metadata.resource_version
    async with load.watching(of.transport, version, 1) as watchers:
        patched = await patch()
        await _all_seen(watchers, patch.sent)
    lists = {plural: await load.listed(of.transport, plural) for plural in PLURALS}
    return {
        **{plural: len(body) for plural, (_, body) in lists.items()},
        "patched": len(patched),
        "event": watchers[0].size,
    }


async def _all_seen(watchers: Sequence[Watcher], count: int) -> None:
    if not await load.caught_up(watchers, count):
        least = min(len(each.waits) for each in watchers)
        raise MeasurementError(f"{count} patches were sent, and a watcher saw {least} of them")
