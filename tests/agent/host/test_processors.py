"""What the kernel says of processors is read as far as it says it."""

from pathlib import Path

import pytest

from agent.host import processors
from agent.host.processors import Processors
from tests.agent.trees import Tree

CPU = "sys/devices/system/cpu"
INTERRUPTS = """           CPU0       CPU1
  9:          5          3   IO-APIC   9-fasteoi   MCE: a driver of this name
NMI:          0          0   Non-maskable interrupts
MCE:          1          2   Machine check exceptions
MCP:        300        300   Machine check polls"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with two packages of two processors."""
    machine = Tree(root=tmp_path)
    machine.write(f"{CPU}/online", "0-2,3")
    machine.write(f"{CPU}/present", "0-3")
    machine.write(f"{CPU}/smt/control", "on")
    machine.write("proc/cmdline", "root=/dev/sda1 quiet")
    machine.write("proc/interrupts", INTERRUPTS)
    for cpu in range(4):
        machine.write(f"{CPU}/cpu{cpu}/topology/physical_package_id", cpu // 2)
        spent = f"{CPU}/cpu{cpu}/thermal_throttle/package_throttle_total_time_ms"
        machine.write(spent, 100 * (cpu // 2))
    return machine


def test_everything_is_told_once(tree: Tree) -> None:
    assert processors.read(tree.root) == Processors(
        online=4, present=4, are_left_out=False, throttled={0: 0, 1: 100}, machine_checks=3
    )


@pytest.mark.parametrize("smt", ["off", "forceoff"])
def test_hyper_threading_that_is_off_is_somebodys_wish(tree: Tree, smt: str) -> None:
    tree.write(f"{CPU}/smt/control", smt)

    assert processors.read(tree.root).are_left_out


@pytest.mark.parametrize("smt", ["on", "notsupported", "notimplemented"])
def test_hyper_threading_that_cannot_be_had_is_nobodys_wish(tree: Tree, smt: str) -> None:
    tree.write(f"{CPU}/smt/control", smt)

    assert not processors.read(tree.root).are_left_out


def test_a_boot_may_be_told_to_take_fewer(tree: Tree) -> None:
    tree.write("proc/cmdline", "quiet maxcpus=2")

    assert processors.read(tree.root).are_left_out


def test_a_package_is_asked_by_a_processor_that_is_online(tree: Tree) -> None:
    tree.write(f"{CPU}/online", "1-2")

    assert processors.read(tree.root).throttled == {0: 0, 1: 100}


def test_a_machine_that_says_nothing_has_nothing_to_say(tmp_path: Path) -> None:
    assert processors.read(tmp_path) == Processors(
        online=None, present=None, are_left_out=False, throttled={}, machine_checks=None
    )


def test_this_machine_has_processors() -> None:
    found = processors.read(Path("/"))

    assert found.online is not None
    assert found.present is not None
    assert 0 < found.online <= found.present
