"""Days of a node on which nothing is wrong: few writes are made, and no rule finds a fault.

A few hours here; `NODEMEND_HOURS=48 pytest --timeout=3600 --log-cli-level=INFO` plays two days.
"""

import asyncio
import itertools
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent import budget, settings, state
from agent.host.guard import Guard, T
from agent.host.linux import Host
from agent.host.nvml.facts import Answers, Gpus
from agent.monitor import Monitor
from agent.publish import Publisher
from agent.state import State
from nodehealth.health import NodeHealthStatus
from nodemend import verdicts
from remediator import files
from remediator.rules import load
from simulator import virtualtime
from simulator.virtualtime import played
from tests.agent.busy import Busy
from tests.agent.gpus import card, fields, machine
from tests.agent.trees import Tree

logger = logging.getLogger(__name__)

HOURS: Final = float(os.environ.get("NODEMEND_HOURS", "3"))
IDLE: Final = 700 / 48
"""Writes in an hour."""
WORKING: Final = 1500 / 48
BUDGET: Final = budget.DEFAULT.ordinary
BEGIN: Final = 10
"""Writes beside these until everything was asked once."""
ASKED: Final = ("gpu", "memory", "network", "ethernet", "block")
"""Those that see the numbers which change here."""
PROBES: Final = {
    name: probe for name, probe in settings.load({}).probes.items() if name.startswith(ASKED)
}
RULES: Final = load.rules(Path(__file__).parents[2] / "rules", files.remedy)
MINUTE: Final = 60
JOB: Final = 10
"""Minutes from the start of one job to that of the next."""


class Patient(Guard):
    """Makes every call to its end: virtual time waits for threads that the loop knows."""

    async def call(self, key: str, work: Callable[[], T], *, patience: timedelta) -> T:
        """Return what the work returns."""
        del key, patience
        return await asyncio.to_thread(work)


@dataclass
class Node:
    """A machine of eight GPUs, eight disks and ten adapters, and what its agent writes of it."""

    tree: Tree
    gpus: Gpus = field(default_factory=machine)
    writes: list[tuple[datetime, NodeHealthStatus]] = field(default_factory=list)

    def build(self) -> None:
        """Plug everything in."""
        self.tree.up(100)
        for number in range(8):
            name = f"nvme{number}n1"
            self.tree.disk(name, f"259:{2 * number}", at=f"pci0/{number}", serial=f"S{number}")
            self.tree.write(f"sys/block/{name}/stat", " ".join("0" * 17))
        for number in range(10):
            self.tree.wire(f"eth{number}", speed=400_000)
        self.remember(0.5)

    def remember(self, share: float) -> None:
        """Have a share of the memory free."""
        self.tree.write("proc/meminfo", f"MemTotal: 1000 kB\nMemAvailable: {share * 1000:.0f} kB")

    def drop(self, counted: Mapping[str, int]) -> None:
        """Have the adapters count what they dropped so far."""
        for name, total in counted.items():
            self.tree.write(f"sys/class/net/{name}/statistics/rx_dropped", total)

    async def live(self, hours: float) -> None:
        """Have an agent look at it for so long, from a moment after its start."""
        clock = virtualtime.clock()
        host = Host(
            root=self.tree.root,
            uptime=self.tree.root / "proc/uptime",
            gpus=lambda: self.gpus,
            clock=clock,
            guard=Patient(),
        )
        begin = state.begin(None, boot_id="b", node_uid="u", probes=PROBES, now=clock())
        publisher = Publisher(self._write, clock=clock, random=Random(1))

        def listen(known: State) -> None:
            publisher.offer(state.status(known, agent_version="1"))

        monitor = Monitor(PROBES, host, begin=begin, clock=clock, listener=listen)
        running = [asyncio.create_task(each) for each in (monitor.run(Random(1)), publisher.run())]
        await asyncio.sleep(hours * 3600)
        for each in running:
            each.cancel()
        await asyncio.wait(running)
        logger.info("%d writes in %g hours", len(self.writes), hours)

    async def _write(self, status: NodeHealthStatus) -> None:
        self.writes.append((virtualtime.clock()(), status))

    def faults(self) -> set[str]:
        """Return the rules that held, or would have if what was written had lasted."""
        return {name for at, each in self.writes for name in verdicts.suspected(each, RULES, at)}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that is well."""
    made = Node(tree=Tree(root=tmp_path))
    made.build()
    return made


@played
async def test_an_idle_node_is_written_next_to_never(node: Node) -> None:
    await node.live(HOURS)

    assert len(node.writes) <= BEGIN + IDLE * HOURS
    assert node.faults() == set()


@played
async def test_a_node_with_a_job_every_ten_minutes_is_written_seldom(node: Node) -> None:
    chance = Random(1)

    async def jobs() -> None:
        for minute in itertools.count():
            at_work = minute % JOB < JOB - 3
            node.gpus = machine(*(card(n, working(chance) if at_work else {}) for n in range(8)))
            await asyncio.to_thread(node.remember, 0.2 if at_work else 0.7)
            await asyncio.sleep(MINUTE)

    working_on = asyncio.create_task(jobs())
    await node.live(HOURS)
    working_on.cancel()

    assert len(node.writes) <= BEGIN + WORKING * HOURS
    assert node.faults() == set()


@played
async def test_counters_that_mean_no_harm_make_neither_faults_nor_many_writes(node: Node) -> None:
    chance, busy = Random(2), Busy(Random(3))
    dropped = Counter[str]()

    async def noise() -> None:
        while True:
            node.gpus = busy.minute()
            dropped[f"eth{chance.randrange(10)}"] += chance.randrange(3)
            await asyncio.to_thread(node.drop, dropped)
            await asyncio.to_thread(node.remember, chance.uniform(0.3, 0.6))
            await asyncio.sleep(MINUTE)

    noisy = asyncio.create_task(noise())
    await node.live(HOURS)
    noisy.cancel()

    assert busy.jobs > HOURS
    assert len(node.writes) <= BUDGET.size + HOURS * 3600 / BUDGET.every
    assert node.faults() == set()


def working(chance: Random) -> Answers:
    """Return what is different of a GPU that a job holds."""
    heat = round(chance.gauss(70, 2))
    return {
        **fields({"82": heat + 8}),
        "nvmlDeviceGetTemperatureV": heat,
        "nvmlDeviceGetMarginTemperature": 87 - heat,
        "nvmlDeviceGetPowerUsage": chance.randrange(400_000, 690_000),
        "nvmlDeviceGetCurrentClocksEventReasons": chance.choice([0, 4]),
        "nvmlDeviceGetUtilizationRates": {"gpu": chance.randrange(80, 101), "memory": 60},
        "nvmlDeviceGetMemoryInfo": {"used": 70 * 10**9},
    }
