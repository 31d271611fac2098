"""Every benchmark runs to its end on a tiny scale; its figures are nobody's concern here."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bench import benchmark, cores, figures, tracks
from bench.benchmark import Benchmark, Scale, Site
from bench.benchmarks.drain import Drain
from bench.benchmarks.emulator import Emulator
from bench.benchmarks.flood import Flood
from bench.benchmarks.footprint import Footprint
from bench.benchmarks.gpus import Gpus
from bench.benchmarks.judge import Judge
from bench.benchmarks.nvml import Nvml
from bench.benchmarks.repairs import Repairs
from bench.benchmarks.report import Report
from bench.benchmarks.takeover import Takeover
from bench.benchmarks.thread import Thread
from bench.benchmarks.xid import Xid
from bench.exercise import Plan
from bench.tracks import Commit

TINY: Final[Mapping[str, Benchmark]] = {
    "drain": Drain(nodes=3, pods=6, at_once=1),
    "emulator": Emulator(
        plan=Plan(rounds=1, watchers=(1, 2), seconds=0.2, calm=50, rate=100, together=0.2)
    ),
    "gpus": Gpus(nodes=2, seconds=0.0001),
    "judge": Judge(rules=(1,), seconds=0.0001),
    "flood": Flood(lines=2_000, warm=1.0),
    "footprint": Footprint(warm=1.0, seconds=1.0),
    "nvml": Nvml(rounds=1),
    "repairs": Repairs(nodes=3, sick=1, at_once=1),
    "report": Report(rounds=1, changes=1),
    "takeover": Takeover(rounds=1, nodes=6),
    "thread": Thread(sizes=(4,), samples=2, pace=20, idle=0.1),
    "xid": Xid(rounds=1, xids=1),
}


@pytest.mark.parametrize("name", benchmark.names())
async def test_a_benchmark_measures_something_and_what_to_compare_it_with(
    name: str,
) -> None:
    # below a short path: a socket's may have a hundred characters
    with cores.one_apart() as core, tempfile.TemporaryDirectory() as folder:
        site = Site(scale=Scale(nodes=3, pods=8), folder=Path(folder), core=core)
        found = await TINY[name].measure(site)

    assert any("_to_" in each for each in _names(found))


def test_every_benchmark_has_usual_settings() -> None:
    assert [type(benchmark.named(name)) for name in TINY] == [type(each) for each in TINY.values()]


def test_a_wait_ends_with_the_first_cordon_after_the_report() -> None:
    commits = [
        Commit(is_node=True, name="a", version=1, cordoned=True, at=0.5),
        Commit(is_node=False, name="a", version=2, cordoned=False, at=1.0),
        Commit(is_node=True, name="a", version=3, cordoned=False, at=1.5),
        Commit(is_node=True, name="a", version=4, cordoned=True, at=2.0),
        Commit(is_node=True, name="a", version=5, cordoned=True, at=9.0),
    ]

    assert tracks.waits(commits, {"a": 2}, cordoned=True) == {"a": 1.0}


def test_percentiles_are_values_that_were_measured() -> None:
    found = figures.latency([n / 1000 for n in range(1, 101)])

    assert (found["p50_ms"], found["p99_ms"], found["longest_ms"]) == (51, 100, 100)


def _names(found: object) -> list[str]:
    if not isinstance(found, Mapping):
        return []
    return [*found, *(name for each in found.values() for name in _names(each))]
