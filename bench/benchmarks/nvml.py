"""How long each call of NVML takes on this machine, through the worker that the agent uses.

A machine without a driver has a stand-in measured, which says what our own part of it costs. Only
what reads is called.
"""

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from agent.host.nvml import bus, calls
from agent.host.nvml.process import Line, Starter, Worker
from agent.host.nvml.settings import FOLDERS
from bench.benchmark import Benchmark, Site
from bench.figures import Figures, ratio, short
from bench.server import MeasurementError
from simulator.driver import recording
from simulator.driver.build import LIBRARY, BuildError
from simulator.driver.control import Driver

_PATIENCE: Final = timedelta(seconds=60)
_STAND_IN: Final = "h100x8"


class _Talk:
    """Asks a worker, one thing after the other."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[Line] = asyncio.Queue()
        self._asked = 0
        self.worker: Worker | None = None

    def hear(self, line: Line) -> None:
        """Take what the worker says."""
        if "end" in line:
            self._said.put_nowait(line)

    def hush(self) -> None:
        """Take that it says no more."""
        self._said.put_nowait({"code": -1})

    async def ask(self, what: str, **more: object) -> Line:
        """Return what it says to something."""
        assert self.worker is not None  # noqa: S101 - begun before
        self._asked += 1
        self.worker.ask({"id": self._asked, "do": what, **more})
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await self._said.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvml(Benchmark):
    """Measures every call to every GPU."""

    rounds: int = 20
    """How often each is made."""

    async def measure(self, site: Site) -> Figures:
        """Return microseconds by call, and what the worker takes."""
        site.tell(f"nvml: every call to every GPU, {self.rounds} times")
        library, environ = await asyncio.to_thread(_found, site.folder)
        starter, talk = Starter(environ), _Talk()
        process = await starter.start(library)
        worker = talk.worker = Worker(process, talk.hear, talk.hush)
        try:
            return await self._measured(talk, worker)
        finally:
            worker.end()
            await asyncio.to_thread(process.wait, 20)
            worker.abandon()
            starter.close()

    async def _measured(self, talk: _Talk, worker: Worker) -> Figures:
        opened = await talk.ask("init", unsupported={}, devices="")
        if opened.get("code"):
            raise MeasurementError(f"nvml: expected to be opened, got error {opened['code']}")
        pcis = (await talk.ask("list"))["gpus"]
        took: dict[str, list[int]] = defaultdict(list)
        sweeps: dict[str, list[float]] = defaultdict(list)
        trips = [await _trip(talk) for _ in range(self.rounds)]
        for _ in range(self.rounds):
            for tier in calls.TIERS:
                sweeps[tier].append(await _sweep(talk, pcis, (tier,), took))
        vitals = statistics.median(sweeps[calls.VITALS])
        return {
            "gpus": len(pcis),
            "driver": str(opened["system"].get("nvmlSystemGetDriverVersion")),
            "init_ms": short(opened["seconds"] * 1000),
            "calls_us": {name: _spread(values) for name, values in sorted(took.items())},
            "sweep_ms": {tier: _spread(each) for tier, each in sweeps.items()},
            "trip_ms": _spread(trips),
            "vitals_to_trips": ratio(vitals, len(pcis) * statistics.median(trips)),
            "worker_rss_mib": short(await asyncio.to_thread(_rss, worker.pid)),
        }


async def _trip(talk: _Talk) -> float:
    """Return the milliseconds until the worker has answered the cheapest question."""
    began = time.perf_counter()
    await talk.ask("count")
    return (time.perf_counter() - began) * 1000


async def _sweep(
    talk: _Talk, pcis: list[str], tiers: tuple[str, ...], took: dict[str, list[int]]
) -> float:
    seconds = 0.0
    for pci in pcis:
        line: Any = await talk.ask(
            "gpu", pci=pci, uuid="", tiers=tiers, links=calls.LINKS, timed=True
        )
        seconds += line.get("seconds", 0.0)
        for name, each in line.get("took", {}).items():
            took[name].append(each)
    return seconds * 1000


def _spread(values: list[int] | list[float]) -> Figures:
    return {
        "n": len(values),
        "p50": short(statistics.median(values)),
        "max": short(max(values)),
    }


def _found(folder: Path) -> tuple[str, Mapping[str, str]]:
    """Return the library to measure and the environment it needs: the machine's, or a stand-in."""
    named = tuple(filter(None, os.environ.get("NVML_LIBRARIES", "").split(":")))
    seen = bus.glance(Path("/"), named or FOLDERS)
    if seen.library and (seen.module or named):
        return seen.library, os.environ
    driver = Driver(folder / "driver")
    try:
        driver.install(recording.load(_STAND_IN))
    except BuildError as missing:
        raise MeasurementError(f"nvml: no driver here, and no stand-in: {missing}") from missing
    return str(driver.folder / LIBRARY), {**os.environ, **driver.environ()}


def _rss(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kib) / 1024
