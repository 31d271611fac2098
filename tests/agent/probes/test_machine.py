"""A large machine, all of it: an hour of it at work writes nothing, and it fits into one report."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent import packing, state
from agent.probe import Probe
from agent.settings import load
from agent.state import State
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.signals import Author, Kind, Signal
from tests.agent.gpuprobes import Sweeps
from tests.agent.gpus import machine
from tests.agent.trees import Tree
from tests.agent.watched import NOON

LOOK: Final = timedelta(seconds=30)
WATCHED: Final = (
    *("arrays", "blockdevices", "connections", "disk-load", "dns", "ethernet"),
    *("filesystems", "mounts", "network", "rdma", "smart"),
)
EVERY: Final[Mapping[str, Probe]] = load({}).probes
PROBES: Final = {name: probe for name, probe in EVERY.items() if name in WATCHED}


class Machine:
    """Eight adapters of 400 Gb/s, ten interfaces, a bond, eight NVMe disks, a RAID, at work."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree(root=root)
        self.random = Random(5)
        self.totals: dict[str, dict[str, int]] = {}
        self.looks = 0
        for n in range(8):
            self._adapter(n)
            self.tree.disk(f"nvme{n}n1", serial=f"S{n}")
            self.tree.write(f"sys/class/nvme/nvme{n}/state", "live")
        for n in range(10):
            self.tree.wire(f"ens{n}f0np0")
        self.tree.bond("bond0", ens0f0np0="up", ens1f0np0="up")
        self.tree.array("md0", level="raid0", disks=8, missing=0, state="clean")
        self.tree.mounts({"": "8:1 /dev/sda1"})
        self.tree.write("proc/sys/net/netfilter/nf_conntrack_max", 262_144)
        self.work()

    def _adapter(self, n: int) -> None:
        name = f"mlx5_{n}"
        self.tree.adapter(name, device=f"0000:{n:02x}:00.0")
        self.tree.count(name, link_downed=0, link_error_recovery=0, local_link_integrity_errors=0)
        self.totals[name] = dict.fromkeys(
            ("symbol_error", "port_xmit_discards", "hw_roce_slow_restart"), 0
        )

    def work(self) -> None:
        """Let half a minute pass, in which all of it is busy."""
        self.looks += 1
        self.tree.up(100 + LOOK.total_seconds() * self.looks)
        more = self.random.randint
        for name, totals in self.totals.items():
            totals["symbol_error"] += more(0, 2) // 2
            totals["port_xmit_discards"] += more(0, 1000)
            totals["hw_roce_slow_restart"] += more(0, 20_000)
            self.tree.count(name, **totals)
        for n in range(8):
            reads = self.looks * 10_000 + more(0, 9_999)
            self.tree.worked(f"nvme{n}n1", reads=reads, seconds=reads / 1000, waiting=more(0, 64))
        self.tree.write("proc/sys/net/netfilter/nf_conntrack_count", more(0, 100_000))


class Agent:
    """All probes of disks and networks as they come, each asked in every look."""

    def __init__(self, there: Machine) -> None:
        self.there = there
        self.host = there.tree.host
        self.known: State = state.begin(None, boot_id="b", node_uid="u", probes=PROBES, now=NOON)

    async def look(self) -> NodeHealthStatus:
        now = NOON + LOOK * self.there.looks
        for name, each in PROBES.items():
            answers = await each.check(self.host, state.past(self.known, name))
            self.known = state.answered(self.known, name, answers, now)
        return state.status(self.known, agent_version="0")


@pytest.fixture
def there(tmp_path: Path) -> Machine:
    """A machine that has just booted."""
    return Machine(tmp_path)


async def test_an_hour_of_a_large_machine_at_work_writes_nothing(there: Machine) -> None:
    agent = Agent(there)
    assert set(PROBES) == set(WATCHED)
    for _ in range(2):
        there.work()
        before = await agent.look()

    for _ in range(120):
        there.work()
        now = await agent.look()

    assert now == before
    assert len(now.levels) > 120
    assert [each for each in now.levels if each.value] == [
        each for each in now.levels if each.name.startswith("disk.free")
    ]


async def test_a_large_machine_and_its_eight_gpus_fit_into_one_report(
    there: Machine, tmp_path: Path
) -> None:
    agent, sweeps = Agent(there), Sweeps(tmp_path / "gpus", machine())
    for _ in range(2):
        there.work()
        mine, theirs = await agent.look(), await sweeps.sweep()

    levels = (*mine.levels, *theirs.levels)
    named = {each.name for each in levels}
    rest = [each for signal in CATALOGUE.values() for each in healthy(signal, named)]
    whole = NodeHealthStatus(
        node_uid="u",
        boot_id="b",
        agent_version="0",
        levels=tuple(sorted((*levels, *rest), key=lambda each: (each.name, each.subject))),
        probes=tuple(ProbeReport(name=each, state=ProbeState.OK, since=NOON) for each in EVERY),
    )

    assert len(rest) > 40
    assert packing.size(whole) < packing.LIMIT - 2048


def healthy(signal: Signal, named: Collection[str]) -> Iterator[Level]:
    """Give what other probes say where all is well: of three mounts, and of one of all else."""
    if signal.kind is Kind.EVENT or signal.author is Author.REMEDIATOR or signal.name in named:
        return
    mounts = ("/", "/var/lib/kubelet", "/scratch")
    for about in mounts if signal.subject == "mount point" else ("one",):
        since = NOON + timedelta(seconds=len(signal.name) % 30)
        yield Level(name=signal.name, subject=about, value=signal.healthy, since=since)
