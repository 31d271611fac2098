"""A table that is nearly full is told; one that fills and empties with jobs writes nothing."""

from pathlib import Path
from random import Random

import pytest

from agent.host.linux import Host
from agent.probes.connections import CONNTRACK, PORTS, Connections
from tests.agent.trees import Tree
from tests.agent.watched import Watch

SOCKETS = "TCP: inuse {} orphan 0 tw {} alloc 9 mem 1\nUDP: inuse 4 mem 1\nRAW: inuse 0"


def fill(tree: Tree, *, tracked: int, used: int = 0, waiting: int = 0) -> None:
    tree.write("proc/sys/net/netfilter/nf_conntrack_count", tracked)
    tree.write("proc/sys/net/netfilter/nf_conntrack_max", 262_144)
    tree.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999")
    tree.write("proc/1/net/sockstat", f"sockets: used 99\n{SOCKETS.format(used, waiting)}")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with little to do."""
    machine = Tree(root=tmp_path)
    fill(machine, tracked=500)
    return machine


async def test_a_machine_with_little_to_do_has_room(tree: Tree) -> None:
    assert await Watch(Connections(), tree.host).look() == {(CONNTRACK, ""): 0, (PORTS, ""): 0}


async def test_a_table_is_nearly_full_until_it_is_clearly_not(tree: Tree) -> None:
    watch = Watch(Connections(), tree.host)
    told = []
    for share in (0.0, 0.6, 0.94, 0.96, 0.87, 0.84):
        fill(tree, tracked=int(262_144 * share))
        told.append((await watch.look())[CONNTRACK, ""])

    assert told == [0, 0.45, 0.45, 0.9, 0.9, 0.45]


async def test_sockets_that_wait_hold_their_ports_too(tree: Tree) -> None:
    fill(tree, tracked=0, used=10_000, waiting=18_000)

    assert (await Watch(Connections(), tree.host).look())[PORTS, ""] == 0.9


async def test_a_machine_that_accepts_many_has_used_no_more_than_all(tree: Tree) -> None:
    fill(tree, tracked=0, used=1_000_000)

    assert (await Watch(Connections(), tree.host).look())[PORTS, ""] == 0.9


async def test_a_kernel_without_these_tables_has_nothing_to_tell(tmp_path: Path) -> None:
    told = await Watch(Connections(), Tree(root=tmp_path).host).look()

    assert told == {(CONNTRACK, ""): "notApplicable", (PORTS, ""): "notApplicable"}


async def test_an_hour_of_jobs_that_come_and_go_changes_nothing(tree: Tree) -> None:
    random, watch = Random(5), Watch(Connections(), tree.host)
    await watch.look()
    before = watch.report
    for _ in range(120):
        fill(tree, tracked=random.randint(0, 125_000), used=random.randint(0, 13_000))
        await watch.look()

    assert watch.report == before


async def test_this_very_kernel_is_understood() -> None:
    told = await Watch(Connections(), Host()).look()

    assert isinstance(told[PORTS, ""], float)
