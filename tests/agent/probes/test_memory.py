"""Want of memory is seen, and a kernel that says less is not taken for one that says ill."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.host.linux import Host
from agent.probes.memory import AVAILABLE, OOM_KILLS, PRESSURE, Memory
from agent.readings import Answer, Counter, Reading
from nodehealth.signals import Knowledge
from tests.agent.trees import Tree
from tests.agent.watched import Watch

MEMINFO = """MemTotal:       24684092 kB
MemFree:        21000000 kB
MemAvailable:    6171023 kB
Buffers:          100000 kB"""
VMSTAT = """nr_free_pages 5000000
oom_kill_disable 9
oom_kill 3
numa_hit 7"""
PRESSURES = """some avg10=90.00 avg60=80.00 avg300=70.00 total=900
full avg10=50.00 avg60=12.34 avg300=5.00 total=500"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine whose kernel says everything."""
    machine = Tree(root=tmp_path)
    machine.write("proc/meminfo", MEMINFO)
    machine.write("proc/vmstat", VMSTAT)
    machine.write("proc/pressure/memory", PRESSURES)
    machine.up(100)
    return machine


def spoken(answers: Sequence[Answer]) -> dict[str, float | str | None]:
    return {
        each.name: each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge)
        for each in answers
        if isinstance(each, Reading)
    }


async def test_what_is_left_and_what_waits_is_told(tree: Tree) -> None:
    answers = await Memory().check(tree.host, {})

    assert spoken(answers) == {AVAILABLE: 0.25, PRESSURE: 0.1234}
    assert answers[-1] == Counter(name=OOM_KILLS, total=3, uptime=100)


@pytest.mark.parametrize(
    ("file", "silent"), [("meminfo", AVAILABLE), ("pressure/memory", PRESSURE)]
)
async def test_what_a_kernel_does_not_say_does_not_apply(
    tree: Tree, file: str, silent: str
) -> None:
    (tree.root / "proc" / file).unlink()

    answers = await Memory().check(tree.host, {})

    assert spoken(answers)[silent] == "notApplicable"
    assert len(answers) == 3


async def test_an_old_kernel_counts_no_kills(tree: Tree) -> None:
    tree.write("proc/vmstat", "nr_free_pages 5000000\noom_kill_disable 9")

    assert {each.name for each in await Memory().check(tree.host, {})} == {AVAILABLE, PRESSURE}


async def test_a_want_that_is_over_is_told_as_over(tree: Tree) -> None:
    watch, seen = Watch(Memory(), tree.host), []
    for available, stalled in ((12_000_000, 0), (400_000, 60), (12_000_000, 0)):
        tree.write("proc/meminfo", MEMINFO.replace("6171023", f"{available}"))
        tree.write("proc/pressure/memory", PRESSURES.replace("12.34", f"{stalled}.00"))
        told = await watch.look()
        seen.append((told[AVAILABLE, ""], told[PRESSURE, ""]))

    assert seen == [(0.25, 0), (0, 0.6), (0.25, 0)]


async def test_a_host_without_procfs_is_not_unknown(tmp_path: Path) -> None:
    answers = await Memory().check(Host(root=tmp_path), {})

    assert spoken(answers) == {AVAILABLE: "notApplicable", PRESSURE: "notApplicable"}


async def test_this_machine_has_memory() -> None:
    share = spoken(await Memory().check(Host(), {}))[AVAILABLE]

    assert isinstance(share, float)
    assert 0 < share < 1
