"""What is used is held against the limit that is reached first."""

from pathlib import Path

import pytest

from agent.host import limits
from agent.host.limits import Limits, Stock
from tests.agent.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine that has used a quarter of everything."""
    machine = Tree(root=tmp_path)
    machine.write("proc/loadavg", "0.10 0.20 0.30 2/250 4711")
    machine.write("proc/sys/kernel/pid_max", 4194304)
    machine.write("proc/sys/kernel/threads-max", 1000)
    machine.write("proc/sys/fs/file-nr", "25\t0\t100")
    return machine


def test_the_lower_limit_of_threads_holds(tree: Tree) -> None:
    found = limits.read(tree.root)

    assert found == Limits(threads=Stock(used=250, most=1000), files=Stock(used=25, most=100))
    assert found.threads is not None
    assert found.threads.free == 0.75


def test_one_limit_of_threads_is_enough(tree: Tree) -> None:
    (tree.root / "proc/sys/kernel/threads-max").unlink()

    assert limits.read(tree.root).threads == Stock(used=250, most=4194304)


def test_more_than_all_is_nothing_left() -> None:
    assert Stock(used=3, most=2).free == 0


def test_a_kernel_that_says_nothing_has_no_limits(tmp_path: Path) -> None:
    assert limits.read(tmp_path) == Limits(threads=None, files=None)


def test_this_machine_has_something_left() -> None:
    found = limits.read(Path("/"))

    assert found.threads is not None
    assert found.files is not None
    assert 0 < found.threads.free < 1
    assert 0 < found.files.free <= 1
