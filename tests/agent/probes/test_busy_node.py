"""A node that is healthy and at work is told once, and then nothing of it changes for an hour."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent import state
from agent.host.discipline import Discipline
from agent.host.linux import Host
from agent.probe import Probe
from agent.probes.boots import Boots
from agent.probes.clock import Clock
from agent.probes.limits import Limits
from agent.probes.memory_modules import MemoryModules
from agent.probes.processes import Processes
from agent.probes.processors import Processors
from nodehealth.health import Event, Level
from tests.agent.gpus import NOON
from tests.agent.host.test_edac import control, plug
from tests.agent.host.test_processes import run
from tests.agent.trees import Tree

PROBES: Final[Mapping[str, Probe]] = {
    "boots": Boots(),
    "clock": Clock(),
    "limits": Limits(),
    "memory-modules": MemoryModules(),
    "processes": Processes(),
    "processors": Processors(),
}
CPU: Final = "sys/devices/system/cpu"
LOOK: Final = 60
"""Seconds between two looks."""


class Node:
    """A machine whose jobs come and go, and take what they can get.

    Args:
        root: Where it lies.
        random: How they do.
    """

    def __init__(self, root: Path, random: Random) -> None:
        self.tree = Tree(root=root)
        self._random = random
        self._hot = 0
        self._facts = state.begin(None, boot_id="b", node_uid="u", probes=PROBES, now=NOON)
        self._host = Host(
            root=root,
            uptime=root / "proc/uptime",
            adjtimex=self._adjtimex,
            watches=lambda: "",
        )
        self._stand()

    def _stand(self) -> None:
        self.tree.write(f"{CPU}/online", "0-7")
        self.tree.write(f"{CPU}/present", "0-7")
        self.tree.write(f"{CPU}/cpu0/topology/physical_package_id", 0)
        self.tree.write("proc/sys/kernel/pid_max", 32768)
        control(self.tree, "mc0", 3)
        plug(self.tree, "mc0/dimm0", 3)
        run(self.tree, 900, "kubelet", at=5000)
        run(self.tree, 60, "kthreadd", "D", flags=0x00208040)

    def _adjtimex(self) -> Discipline:
        offset, error = self._random.gauss(0, 0.002), self._random.uniform(0.001, 1.5)
        return Discipline(is_synchronised=True, offset=offset, max_error=error)

    def _work(self, uptime: int) -> None:
        draw = self._random.uniform
        self._hot += int(draw(0, 0.1) * LOOK * 1000)
        spent = f"{CPU}/cpu0/thermal_throttle/package_throttle_total_time_ms"
        self.tree.write(spent, self._hot)
        self.tree.write("proc/loadavg", f"9 9 9 5/{int(draw(900, 12_000))} 1")
        self.tree.write("proc/sys/fs/file-nr", f"{int(draw(1000, 90_000))}\t0\t400000")
        self.tree.write("proc/pressure/cpu", f"some avg60=1.00 avg300={draw(0, 70):.2f} total=1")
        self.tree.write("proc/pressure/io", f"full avg60=1.00 avg300={draw(0, 40):.2f} total=1")
        for pid in range(2000, 2012):
            busy = self._random.choice(["R", "S", "D", "Z"])
            run(self.tree, pid, f"job-{uptime // 600}", busy, worked=uptime, at=uptime // 600)
        self.tree.up(uptime)

    async def look(self, uptime: int) -> tuple[tuple[Level, ...], tuple[Event, ...]]:
        """Let it work, and ask whoever is due; return the facts that a report would hold."""
        self._work(uptime)
        for name, probe in PROBES.items():
            if uptime % probe.interval.total_seconds() == 0:
                said = await probe.check(self._host, state.past(self._facts, name))
                self._facts = state.answered(self._facts, name, said, NOON)
        status = state.status(self._facts, agent_version="1")
        return status.levels, status.events


def hour() -> Iterator[int]:
    """Give for how long the machine is up at each look."""
    yield from range(3600, 7200 + LOOK, LOOK)


@pytest.mark.parametrize("seed", range(2))
async def test_an_hour_of_hard_work_changes_nothing(tmp_path: Path, seed: int) -> None:
    node = Node(tmp_path, Random(seed))
    await node.look(2400)  # the second time its probes can tell how fast something grew
    first = await node.look(3000)

    seen = {repr(await node.look(uptime)) for uptime in hour()}

    assert len(first[0]) == 13
    assert seen == {repr(first)}


async def test_what_goes_wrong_in_such_an_hour_is_seen_all_the_same(tmp_path: Path) -> None:
    node = Node(tmp_path, Random(1))
    await node.look(3600)
    control(node.tree, "mc0", 3, 1)
    node.tree.write(f"{CPU}/online", "0-6")

    levels, _ = await node.look(4200)

    bad = {each.name: each.value for each in levels if each.value not in {0.0, 0.5, None}}
    assert bad == {"memory.ecc_uncorrected": 1, "cpu.offline": 1}
