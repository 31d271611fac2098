"""Days of a node on which nothing is wrong: few writes are made, and no rule finds a fault.

A few hours here; `make days` plays two days, and says how many writes there were.
"""

import asyncio
import itertools
import logging
import os
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent.host.nvml.facts import Answers
from agent.probe import Probe
from nodehealth.health import Event, Level, NodeHealthStatus
from nodehealth.kit import discovery
from nodemend import verdicts
from remediator import files
from remediator.rules import load
from simulator.virtualtime import played
from tests.agent.busy import Busy
from tests.agent.gpus import card, fields, machine
from tests.agent.wholenode import ADAPTERS, DISKS, LINKS, MODULES, PROBES, UNPLAYED, Lasting, Node

logger = logging.getLogger(__name__)

HOURS: Final = float(os.environ.get("NODEMEND_HOURS", "2"))
IDLE: Final = 700 / 48
"""Writes in an hour."""
WORKING: Final = 1500 / 48
"""Likewise, of a node that works, and of one on which harmless errors are counted beside that."""
BEGIN: Final = 10
"""Writes beside these until everything was asked once."""
RULES: Final = load.rules(Path(__file__).parents[2] / "rules", files.remedy)
MINUTE: Final = 60
JOB: Final = 10
"""Minutes from the start of one job to that of the next."""

HARMLESS: Final = (
    "cni0: port 3(veth{:x}) entered forwarding state",
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth{:x}: link becomes ready",
    'audit: type=1400 apparmor="DENIED" operation="ptrace" pid={}',
    "docker0: port 1(veth{:x}) entered disabled state",
)
"""Lines of the kernel's log about nothing, many in each minute."""
CORRECTED: Final = (
    "nvme 0000:1{0}:00.0: AER: PCIe Bus Error: severity=Corrected, type=Physical Layer",
    "pcieport 0000:16:01.0: AER: Multiple Corrected error message received from 0000:1{0}:00.0",
    "EDAC MC{0}: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 slot:0)",
    "[Hardware Error]: event severity: corrected",
    "Memory cgroup out of memory: Killed process 40{0} (python3) total-vm:1kB, anon-rss:1kB",
)
"""Lines about what the hardware mended itself, and a container that wanted too much."""

SELDOM: Final = 0.1
"""In a minute: more often, and on one of four or sixteen devices it would be a fault."""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that is well."""
    made = Node(tree=Lasting(root=tmp_path / "root"), chance=Random(4))
    made.build()
    return made


async def lived(node: Node, *around: Coroutine[object, object, None]) -> None:
    """Have an agent look at a node for hours, and something go on around it."""
    tasks = [asyncio.create_task(each) for each in around]
    await node.live(HOURS)
    for each in tasks:
        each.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
    _explain(node.writes)


def faults(node: Node) -> set[str]:
    """Return the rules that held, or would have if what was written had lasted."""
    return {name for at, each in node.writes for name in verdicts.suspected(each, RULES, at)}


def test_every_probe_is_played_but_those_that_need_a_socket() -> None:
    assert set(PROBES) | set(UNPLAYED) == set(discovery.names("agent.probes"))
    assert all(isinstance(each, Probe) for each in PROBES.values())


@played
async def test_an_idle_node_is_written_next_to_never(node: Node) -> None:
    await lived(node)

    assert len(node.writes) <= BEGIN + IDLE * HOURS
    assert faults(node) == set()


@played
async def test_a_node_with_a_job_every_ten_minutes_is_written_seldom(node: Node) -> None:
    node.jitter = 0.3
    await lived(node, jobs(node))

    assert len(node.writes) <= BEGIN + WORKING * HOURS
    assert faults(node) == set()


@played
async def test_counters_that_mean_no_harm_make_neither_faults_nor_many_writes(node: Node) -> None:
    node.jitter = 1.0
    busy = Busy(Random(3))
    await lived(node, noise(node, busy))

    assert busy.jobs > HOURS
    assert len(node.writes) <= BEGIN + WORKING * HOURS
    assert faults(node) == set()


async def jobs(node: Node) -> None:
    """Let a job of seven minutes begin every ten."""
    for minute in itertools.count():
        at_work = minute % JOB < JOB - 3
        node.gpus = machine(*(card(n, working(node.chance) if at_work else {}) for n in range(8)))
        for name in DISKS:
            node.counted[name] += 60_000 if at_work else 600
        node.full["/scratch"] = 0.3 + 0.03 * (minute % JOB)
        await asyncio.to_thread(node.work, 0.8 if at_work else 0.05)
        await asyncio.sleep(MINUTE)


async def noise(node: Node, busy: Busy) -> None:
    """Let everything go up and down, and whatever may count without harm do so."""
    chance, load = node.chance, 0.5
    for minute in itertools.count():
        load = min(0.9, max(0.1, load + chance.gauss(0, 0.1)))
        node.gpus = busy.minute()
        node.counted[chance.choice(LINKS)] += chance.randrange(3)
        node.counted.update({name: chance.randrange(60) for name in ADAPTERS})
        node.counted.update({name: chance.randrange(90_000) for name in DISKS})
        node.counted[chance.choice(MODULES)] += chance.random() < SELDOM
        for mount in node.full:
            moved = node.full[mount] + chance.gauss(0, 0.01)
            node.full[mount] = min(0.7, max(0.2, moved))
        for number in range(10):
            node.ring.say(chance.choice(HARMLESS).format(minute * 10 + number))
        if chance.random() < SELDOM:
            node.ring.say(chance.choice(CORRECTED).format(chance.randrange(4)))
        await asyncio.to_thread(node.work, load)
        await asyncio.sleep(MINUTE)


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


def _explain(writes: Sequence[tuple[datetime, NodeHealthStatus]]) -> None:
    """Say what made how many of the writes."""
    told = [_facts(status) for _, status in writes]
    made = Counter(
        name
        for before, after in itertools.pairwise(told)
        for name in {fact[0] for fact, said in after.items() if before.get(fact) != said}
    )
    logger.info("%s", ", ".join(f"{name}: {count}" for name, count in made.most_common(20)))


def _facts(status: NodeHealthStatus) -> dict[tuple[str, str], Level | Event]:
    everything: tuple[Level | Event, ...] = (*status.levels, *status.events)
    return {(each.name, each.subject): each for each in everything}
