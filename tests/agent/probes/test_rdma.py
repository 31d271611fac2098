"""A port of the fabric that was active and is not is seen; one that nobody wants is not."""

import shutil
from pathlib import Path

import pytest

from agent.probes.rdma import DOWN, MISSING, RDMA, SLOW
from tests.agent.trees import Tree
from tests.agent.watched import Watch

PORT = "mlx5_0/1"
PCI = "sys/bus/pci/devices/0000:5e:00.0"
ROCE = "sys/bus/pci/devices/0000:5e:00.0/net/eth0/flags"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with one InfiniBand port."""
    machine = Tree(root=tmp_path)
    machine.adapter("mlx5_0")
    machine.up(100)
    return machine


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent that has not looked at it yet."""
    return Watch(RDMA(), tree.host)


async def test_a_healthy_port_is_there_active_and_fast(watch: Watch) -> None:
    assert await watch.look() == {(MISSING, "mlx5_0"): 0, (DOWN, PORT): 0, (SLOW, PORT): 0}


async def test_a_machine_without_rdma_has_nothing_to_tell(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    tree.up(1)

    assert await Watch(RDMA(), tree.host).look() == {}


async def test_a_port_that_lost_its_link_is_down_and_well_again_with_it(
    tree: Tree, watch: Watch
) -> None:
    await watch.look()

    tree.adapter("mlx5_0", state="1: DOWN", physical="2: Polling", rate="2.5 Gb/sec (1X SDR)")
    assert (await watch.look())[DOWN, PORT] == 1
    assert watch.levels[DOWN, PORT].fields == {"layer": "InfiniBand", "link": "down"}

    tree.adapter("mlx5_0")
    assert (await watch.look())[DOWN, PORT] == 0


async def test_a_port_that_tries_this_and_that_to_get_a_link_is_told_once(
    tree: Tree, watch: Watch
) -> None:
    await watch.look()
    told = []
    for physical in ("2: Polling", "4: PortConfigurationTraining", "1: Sleep"):
        tree.adapter("mlx5_0", state="1: DOWN", physical=physical)
        await watch.look()
        told.append(watch.report)

    assert told[0] == told[1] == told[2]


async def test_a_link_without_a_subnet_manager_is_told_apart(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.adapter("mlx5_0", state="2: INIT")
    await watch.look()

    assert watch.levels[DOWN, PORT].fields == {"layer": "InfiniBand", "link": "up"}


async def test_a_port_that_never_was_active_is_not_down(tree: Tree, watch: Watch) -> None:
    tree.adapter("mlx5_0", state="1: DOWN", physical="2: Polling")

    assert (await watch.look())[DOWN, PORT] == "notApplicable"
    assert (await watch.look())[DOWN, PORT] == "notApplicable"


async def test_a_port_of_an_adapter_that_is_named_is_down_from_boot_on(tree: Tree) -> None:
    tree.adapter("mlx5_0", state="1: DOWN", physical="2: Polling")

    assert (await Watch(RDMA(devices=("mlx5_0",)), tree.host).look())[DOWN, PORT] == 1


async def test_a_port_that_somebody_disabled_is_not_down(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.adapter("mlx5_0", state="1: DOWN", physical="3: Disabled")

    assert (await watch.look())[DOWN, PORT] == "notApplicable"


async def test_a_port_that_is_known_across_a_restart_is_missed(tree: Tree, watch: Watch) -> None:
    await watch.look()
    watch.restart(tree.host)
    tree.adapter("mlx5_0", state="1: DOWN", physical="2: Polling")

    assert (await watch.look())[DOWN, PORT] == 1


@pytest.mark.parametrize(
    ("flags", "told"), [("0x1003", 1), ("0x1002", "notApplicable"), (None, "notApplicable")]
)
async def test_a_roce_port_is_down_only_while_the_host_has_its_interface_up(
    tree: Tree, watch: Watch, flags: str | None, told: object
) -> None:
    tree.adapter("mlx5_0", layer="Ethernet")
    tree.write(ROCE, "0x1003")
    await watch.look()
    tree.adapter("mlx5_0", layer="Ethernet", state="1: DOWN", physical="3: Disabled")
    if flags is None:
        shutil.rmtree(tree.root / PCI / "net/eth0")
    else:
        tree.write(ROCE, flags)

    assert (await watch.look())[DOWN, PORT] == told


async def test_a_port_that_came_back_slower_is_slow(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.adapter("mlx5_0", rate="200 Gb/sec (4X HDR)")

    assert (await watch.look())[SLOW, PORT] == 1
    assert watch.levels[SLOW, PORT].fields == {"rate": 200, "expected": 400}


async def test_a_port_is_slow_that_never_had_what_it_is_to_have(tree: Tree) -> None:
    tree.adapter("mlx5_0", rate="100 Gb/sec (4X EDR)")

    assert (await Watch(RDMA(rate=400), tree.host).look())[SLOW, PORT] == 1


async def test_a_rate_that_a_driver_does_not_tell_is_no_slow_one(tree: Tree, watch: Watch) -> None:
    tree.adapter("mlx5_0", rate="unknown")

    assert (await watch.look())[SLOW, PORT] == "notApplicable"


async def test_the_rate_of_a_port_that_is_down_is_none(tree: Tree, watch: Watch) -> None:
    await watch.look()
    tree.adapter("mlx5_0", state="1: DOWN", physical="2: Polling", rate="2.5 Gb/sec (1X SDR)")
    assert (await watch.look())[SLOW, PORT] == "notApplicable"

    tree.adapter("mlx5_0", rate="200 Gb/sec (4X HDR)")
    assert (await watch.look())[SLOW, PORT] == 1


def gone(tree: Tree, *, of: str) -> None:
    """Let an adapter go: off the bus, from its driver, with the driver, or only from its class."""
    shutil.rmtree(tree.root / "sys/class/infiniband/mlx5_0")
    if of == "bus":
        (tree.root / PCI / "driver").unlink()
        (tree.root / PCI).rmdir()
    if of in {"device", "driver"}:
        (tree.root / PCI / "driver").unlink()
    if of == "driver":
        (tree.root / "sys/bus/pci/drivers/mlx5_core").rmdir()


@pytest.mark.parametrize(
    ("of", "told"),
    [("bus", 1), ("device", 1), ("driver", "notApplicable"), ("class", "notApplicable")],
)
async def test_an_adapter_is_missing_that_fell_off_its_bus_or_that_its_driver_gave_up(
    tree: Tree, watch: Watch, of: str, told: object
) -> None:
    await watch.look()
    gone(tree, of=of)

    assert await watch.look() == {(MISSING, "mlx5_0"): told}
    assert await watch.look() == {(MISSING, "mlx5_0"): told}
    tree.adapter("mlx5_0")
    assert (await watch.look())[MISSING, "mlx5_0"] == 0


async def test_an_adapter_with_a_new_name_is_not_missing(tree: Tree, watch: Watch) -> None:
    await watch.look()
    shutil.rmtree(tree.root / "sys/class/infiniband/mlx5_0")
    tree.adapter("ibp94s0")

    told = await watch.look()

    assert (told[MISSING, "mlx5_0"], told[MISSING, "ibp94s0"]) == ("notApplicable", 0)


async def test_of_those_that_are_named_one_that_never_was_there_is_unknown(tree: Tree) -> None:
    told = await Watch(RDMA(devices=("mlx5_7",)), tree.host).look()

    assert told == {(MISSING, "mlx5_7"): "unknown"}


async def test_virtual_functions_are_a_pods(tree: Tree, watch: Watch) -> None:
    tree.write(f"{PCI}/physfn/vendor", "0x15b3")

    assert await watch.look() == {}


async def test_only_so_many_are_watched_unnamed(tree: Tree) -> None:
    for n in range(1, 20):
        tree.adapter(f"mlx5_{n:02}", device=f"0000:5e:01.{n}")

    told = await Watch(RDMA(most=2), tree.host).look()

    assert {subject for name, subject in told if name == MISSING} == {"mlx5_0", "mlx5_01"}
