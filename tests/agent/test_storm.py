"""Ten thousand XIDs in a minute: every one is counted, few writes are made, nobody is starved."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import msgspec
import pytest

from agent import fitting, packing, state
from agent.host.doors import Door
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml.facts import Bus, Card, Driver, Gpus, NvmlEvent
from agent.monitor import Monitor
from agent.probe import Past, Probe
from agent.probes.xids import Xids
from agent.publish import Publisher
from agent.readings import Answer, Reading
from agent.state import State
from nodehealth.health import Event, NodeHealthStatus
from simulator import virtualtime
from simulator.virtualtime import played

CARDS = tuple(Card(pci=f"0000:{0x1B + n:02x}:00.0", uuid=f"GPU-{UUID(int=n)}") for n in range(8))
CODES = (13, 48, 79, 119)
XIDS = 10_000
MINUTE = 60
NOON = virtualtime.START


class Ring(Door):
    """A kernel's log that keeps all of its records, and is read from the oldest one."""

    def __init__(self, records: list[bytes]) -> None:
        self._records, self._read = records, 0

    def read(self, size: int) -> bytes:
        del size
        if self._read == len(self._records):
            raise BlockingIOError
        self._read += 1
        return self._records[self._read - 1]

    async def ready(self) -> None:
        await asyncio.sleep(0.01)

    def close(self) -> None:
        """Be let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady(Probe):
    """A probe that has nothing to do with GPUs."""

    interval: timedelta = timedelta(seconds=1)
    asked: list[float]

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say that all is well."""
        del host, past
        self.asked.append(asyncio.get_running_loop().time())
        return [Reading(name="memory.available_ratio", value=0.5)]


@dataclass
class Node:
    """A node in a storm; what it writes is kept, and its agent can be killed."""

    records: list[bytes] = field(default_factory=list)
    true: Counter[tuple[str, int]] = field(default_factory=Counter)
    writes: list[tuple[float, NodeHealthStatus]] = field(default_factory=list)
    saved: bytes = b""
    asked: list[float] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def agent(self) -> AsyncIterator[None]:
        """Run an agent from what was saved last, and kill it."""
        clock = virtualtime.clock()
        kept = msgspec.json.decode(self.saved, type=State) if self.saved else None
        probes = {"xids": Xids(), "steady": Steady(asked=self.asked)}
        begin = state.begin(kept, boot_id="b", node_uid="u", probes=probes, now=clock())
        gpus = Gpus(bus=Bus(module="570.1"), driver=Driver.UP, cards=CARDS)

        async def opened(_: Path) -> Door:
            return Ring(self.records)

        log = KernelLog(Path("/dev/kmsg"), opened=opened, clock=clock)
        self.host = Host(gpus=lambda: gpus, kernel_log=log, clock=clock)
        publisher = Publisher(self._write, clock=clock, random=Random(1))

        def listen(known: State) -> None:
            self.known = known
            publisher.offer(state.status(known, agent_version="1"))

        monitor = Monitor(probes, self.host, begin=begin, clock=clock, listener=listen)
        running = [
            asyncio.create_task(each)
            for each in (log.run(Random(1)), monitor.run(Random(1)), publisher.run())
        ]
        try:
            yield
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running)

    async def _write(self, status: NodeHealthStatus) -> None:
        self.writes.append((asyncio.get_running_loop().time(), status))

    def save(self) -> None:
        """Save what is known, as a keeper does now and then."""
        self.saved = msgspec.json.encode(self.known)

    def xid(self, luck: Random, at: float, codes: Sequence[int] = CODES) -> None:
        """Let a GPU fail: mostly the log and NVML both tell, in either order."""
        card, code = luck.choice(CARDS), luck.choice(codes)
        self.true[card.uuid, code] += 1
        text = f"NVRM: Xid (PCI:{card.pci[:-2]}): {code}, pid={luck.randrange(1, 99)}, name=x, y"
        number = len(self.records) + 1
        self.records.append(f"2,{number},{round(at * 1e6)},-;{text}\n".encode())
        if luck.random() < 0.9:
            now = virtualtime.clock()()
            event = NvmlEvent(kind=8, pci=card.pci, uuid=card.uuid, data=code, at=now)
            self.host.gpu_events.put(event)

    def told(self) -> Counter[tuple[str, int]]:
        """Return what the last report says to whoever reads it."""
        wire = msgspec.json.encode(packing.packed(fitting.fit(self.writes[-1][1], NOON).status))
        return _counted(msgspec.json.decode(wire, type=NodeHealthStatus).events)

    def counted(self) -> Counter[tuple[str, int]]:
        """Return what the agent knows."""
        return _counted(self.known.events)


def _counted(events: Sequence[Event]) -> Counter[tuple[str, int]]:
    xids = (each for each in events if each.name == "gpu.xid")
    return Counter({(each.subject, int(each.fields["code"])): each.count for each in xids})


async def storm(node: Node, luck: Random, xids: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(xids):
        node.xid(luck, loop.time())
        await asyncio.sleep(seconds / xids)


@played
async def test_every_xid_of_a_storm_is_counted_within_the_budget_of_writes() -> None:
    node, luck = Node(), Random(1)

    async with node.agent():
        await asyncio.sleep(30)
        await storm(node, luck, XIDS, MINUTE)
        await asyncio.sleep(30)

    during = [at for at, _ in node.writes if 30 <= at <= 30 + MINUTE]
    assert node.told() == node.true
    assert sum(node.true.values()) == XIDS
    assert len(during) <= 5 + MINUTE / 30 + 10 + MINUTE / 10 + 1
    assert min(b - a for a, b in itertools.pairwise(during)) >= 1
    assert len(node.asked) == pytest.approx(121, abs=8)


@played
async def test_the_first_xid_after_quiet_is_written_at_once() -> None:
    node = Node()

    async with node.agent():
        await asyncio.sleep(120.5)
        node.xid(Random(1), 120.5, codes=[79])
        await asyncio.sleep(0.1)

    assert node.writes[-1][0] == pytest.approx(120.5, abs=0.05)
    assert node.told() == node.true


@pytest.mark.parametrize("seed", range(4))
def test_an_agent_that_is_killed_in_the_middle_counts_no_xid_twice_and_misses_none(
    seed: int,
) -> None:
    @played
    async def play() -> None:
        node, luck = Node(), Random(seed)
        for _ in range(3):
            async with node.agent():
                await storm(node, luck, 300, 3)
                node.save()
                await storm(node, luck, 200, luck.uniform(0.01, 4))  # none of this is saved
        async with node.agent():
            await asyncio.sleep(60)

        assert node.counted() == node.true

    play()


@played
async def test_jobs_of_a_storm_are_counted_each_once() -> None:
    node = Node()

    async with node.agent():
        await storm(node, Random(1), 5_000, 30)
        await asyncio.sleep(30)

    jobs = [each for each in node.known.events if each.name == "gpu.jobs_failed"]
    assert len(jobs) == len(CARDS)
    assert all(each.count <= 98 for each in jobs)
