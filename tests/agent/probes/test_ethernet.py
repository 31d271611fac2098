"""A link that came back slower, another MTU and a bond with a port less are seen; noise is not."""

from pathlib import Path

import pytest

from agent.probes.ethernet import MTU, PORTS_DOWN, SLOW, Ethernet
from tests.agent.trees import Tree
from tests.agent.watched import Watch


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with one interface."""
    machine = Tree(root=tmp_path)
    machine.wire("eth0")
    return machine


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent that has not looked at it yet."""
    return Watch(Ethernet(), tree.host)


async def test_a_healthy_interface_is_as_fast_as_ever(watch: Watch) -> None:
    assert await watch.look() == {(SLOW, "eth0"): 0, (MTU, "eth0"): 0}


async def test_a_link_that_came_back_slower_is_slow(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.wire("eth0", speed=25_000)

    assert (await watch.look())[SLOW, "eth0"] == 1
    assert watch.levels[SLOW, "eth0"].fields == {"speed": 25_000, "expected": 100_000}
    tree.wire("eth0")
    assert (await watch.look())[SLOW, "eth0"] == 0


@pytest.mark.parametrize("carrier", [0, 1])
async def test_what_it_was_is_remembered_while_it_has_no_link(
    tree: Tree, watch: Watch, carrier: int
) -> None:
    await watch.look()
    tree.write("sys/class/net/eth0/carrier", carrier)
    tree.wire("eth0", speed=-1)
    assert (await watch.look())[SLOW, "eth0"] == "notApplicable"
    watch.restart(tree.host)
    assert (await watch.look())[SLOW, "eth0"] == "notApplicable"

    tree.write("sys/class/net/eth0/carrier", 1)
    tree.wire("eth0", speed=10_000)
    assert (await watch.look())[SLOW, "eth0"] == 1


async def test_a_link_that_never_had_what_it_is_to_have_is_slow(tree: Tree) -> None:
    watch = Watch(Ethernet(speed={"eth0": 200_000}), tree.host)

    assert (await watch.look())[SLOW, "eth0"] == 1


async def test_half_duplex_is_slow_at_any_speed(tree: Tree, watch: Watch) -> None:
    tree.wire("eth0", speed=1000, duplex="half")

    assert (await watch.look())[SLOW, "eth0"] == 1
    assert watch.levels[SLOW, "eth0"].fields["duplex"] == "half"


@pytest.mark.parametrize("duplex", ["half", "unknown"])
async def test_a_driver_that_tells_no_speed_tells_nothing_by_duplex(
    tree: Tree, watch: Watch, duplex: str
) -> None:
    tree.wire("eth0", speed=-1, duplex=duplex)

    assert (await watch.look())[SLOW, "eth0"] == "notApplicable"


async def test_another_mtu_than_before_is_seen(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.wire("eth0", mtu=1500)

    assert (await watch.look())[MTU, "eth0"] == 1
    assert watch.levels[MTU, "eth0"].fields == {"mtu": 1500, "expected": 9000}


async def test_an_mtu_may_be_wrong_from_the_start(tree: Tree) -> None:
    watch = Watch(Ethernet(mtu={"eth0": 1500}), tree.host)

    assert (await watch.look())[MTU, "eth0"] == 1


async def test_an_interface_that_is_taken_down_is_left_alone(tree: Tree, watch: Watch) -> None:
    tree.write("sys/class/net/eth0/flags", "0x1002")

    assert await watch.look() == {}


async def test_what_is_named_is_watched_however_many_there_are(tree: Tree) -> None:
    for n in range(4):
        tree.wire(f"eth{n}")

    told = await Watch(Ethernet(speed={"eth3": 1}, most=2), tree.host).look()

    assert {subject for name, subject in told if name == SLOW} == {"eth0", "eth3"}


async def test_a_bond_with_all_its_ports_is_whole(tree: Tree, watch: Watch) -> None:
    tree.bond("bond0", eth0="up", eth1="up")

    assert (await watch.look())[PORTS_DOWN, "bond0"] == 0


async def test_a_port_of_a_bond_without_a_link_is_missed(tree: Tree, watch: Watch) -> None:
    tree.bond("bond0", eth0="up", eth1="down")

    assert (await watch.look())[PORTS_DOWN, "bond0"] == 1
    assert watch.levels[PORTS_DOWN, "bond0"].fields == {"ports": 2, "down": "eth1"}
    tree.bond("bond0", eth0="up", eth1="up")
    assert (await watch.look())[PORTS_DOWN, "bond0"] == 0


async def test_a_port_that_a_bond_has_no_more_is_missed(tree: Tree, watch: Watch) -> None:
    tree.bond("bond0", eth0="up", eth1="up")
    await watch.look()
    tree.bond("bond0", eth0="up")
    assert (await watch.look())[PORTS_DOWN, "bond0"] == 1

    watch.restart(tree.host)
    assert (await watch.look())[PORTS_DOWN, "bond0"] == 1


async def test_a_bond_that_is_down_for_a_while_keeps_what_it_was(tree: Tree, watch: Watch) -> None:
    tree.bond("bond0", eth0="up", eth1="up")
    await watch.look()
    tree.write("sys/class/net/bond0/flags", "0x1002")
    assert (await watch.look())[PORTS_DOWN, "bond0"] == "notApplicable"

    tree.bond("bond0", eth1="up")
    assert (await watch.look())[PORTS_DOWN, "bond0"] == 1


async def test_a_bond_is_to_have_as_many_ports_as_the_settings_say(tree: Tree) -> None:
    tree.bond("bond0", eth0="up")

    told = await Watch(Ethernet(ports={"bond0": 2}), tree.host).look()

    assert told[PORTS_DOWN, "bond0"] == 1
