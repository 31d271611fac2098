"""Processes that sleep where nothing ends them are told from those that only wait a moment."""

from pathlib import Path

import pytest

from agent.host.processes import Processes
from tests.agent.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine without processes."""
    machine = Tree(root=tmp_path)
    machine.up(100)
    return machine


def run(
    tree: Tree,
    pid: int,
    name: str,
    state: str = "S",
    *,
    worked: int = 7,
    at: int = 9,
    parent: int = 1,
    flags: int = 0,
) -> None:
    """Let a process be in a state, having worked so long, since it started."""
    head = f"{pid} ({name}) {state} {parent} 1 1 0 -1 {flags} {worked} 0 0 0 {worked} 3 0 0 20 0 1"
    tree.write(f"proc/{pid}/stat", f"{head} 0 {at} 0 0 0")


def test_everything_that_runs_is_named(tree: Tree) -> None:
    run(tree, 1, "init")
    run(tree, 77, "a ) R (b")
    tree.write("proc/uptime", "1 1")
    tree.write("proc/self/stat", "no process")

    assert Processes(tree.root / "proc").look(1).names == {"init", "a ) R (b"}


def test_a_process_that_only_sleeps_is_counted_from_look_to_look(tree: Tree) -> None:
    processes = Processes(tree.root / "proc")
    run(tree, 77, "train", "D")

    seen = [processes.look(at).sleepers[0] for at in (100, 160, 220)]

    assert [(each.looks, each.seconds) for each in seen] == [(1, 0), (2, 60), (3, 120)]
    assert (seen[-1].pid, seen[-1].name) == (77, "train")


def test_one_that_worked_or_started_anew_in_between_is_counted_anew(tree: Tree) -> None:
    processes = Processes(tree.root / "proc")
    run(tree, 77, "train", "D")
    run(tree, 78, "train", "D")
    processes.look(100)
    run(tree, 77, "train", "D", worked=8)
    run(tree, 78, "train", "D", at=5000)

    assert {(each.pid, each.looks) for each in processes.look(160).sleepers} == {(77, 1), (78, 1)}


def test_one_that_woke_up_between_two_looks_is_counted_anew(tree: Tree) -> None:
    processes = Processes(tree.root / "proc")
    for state in "DSD":
        run(tree, 77, "train", state)
        seen = processes.look(100)

    assert [each.looks for each in seen.sleepers] == [1]


def test_what_a_sleeper_has_open_is_told_as_far_as_it_can_be_seen(tree: Tree) -> None:
    run(tree, 77, "train", "D")
    run(tree, 78, "other", "D")
    tree.write("dev/nvidia0", "")
    folder = tree.root / "proc/77/fd"
    folder.mkdir()
    (folder / "3").symlink_to("/dev/nvidia0")
    (folder / "4").write_text("no link")

    files = {each.pid: each.files for each in Processes(tree.root / "proc").look(1).sleepers}

    assert files == {77: {"/dev/nvidia0"}, 78: frozenset()}


async def test_the_host_remembers_from_look_to_look(tree: Tree) -> None:
    run(tree, 77, "train", "D")
    host = tree.host

    await host.processes()
    tree.up(160)
    again = await host.processes()

    assert [(each.looks, each.seconds) for each in again.sleepers] == [(2, 60)]
