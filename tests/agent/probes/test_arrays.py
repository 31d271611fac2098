"""What a RAID or a volume over several paths lacks is told; what was never whole is not missed."""

from pathlib import Path

import pytest

from agent.probes.arrays import FAILED, MISSING, PATHS_DOWN, Arrays
from tests.agent.trees import Tree
from tests.agent.watched import Watch


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with nothing bundled."""
    return Tree(root=tmp_path)


@pytest.fixture
def watch(tree: Tree) -> Watch:
    """An agent that has not looked at it yet."""
    return Watch(Arrays(), tree.host)


async def test_a_machine_with_nothing_bundled_has_nothing_to_tell(watch: Watch) -> None:
    assert await watch.look() == {}


@pytest.mark.parametrize(
    ("level", "lost", "state", "told"),
    [
        ("raid1", (2, 0), "clean", 0),
        ("raid1", (2, 1), "active", 0),
        ("raid5", (4, 1), "clean", 0),
        ("raid5", (4, 2), "clean", 1),
        ("raid6", (8, 2), "clean", 0),
        ("raid6", (8, 3), "clean", 1),
        ("raid10", (4, 2), "clean", 0),
        ("raid10", (4, 2), "broken", 1),
        ("raid0", (4, 0), "clean", 0),
        ("raid0", (4, 0), "broken", 1),
    ],
)
async def test_a_raid_bears_what_its_level_bears(
    tree: Tree,
    watch: Watch,
    level: str,
    lost: tuple[int, int],
    state: str,
    told: int,
) -> None:
    disks, missing = lost
    tree.array("md0", level=level, disks=disks, missing=missing, state=state)

    assert await watch.look() == {(FAILED, "md0"): told, (MISSING, "md0"): missing}


async def test_a_disk_that_a_raid_lacks_is_missed_until_it_is_rebuilt(
    tree: Tree, watch: Watch
) -> None:
    seen = []
    for missing in (0, 1, 0):
        tree.array("md0", level="raid6", disks=8, missing=missing, state="clean")
        seen.append((await watch.look())[MISSING, "md0"])

    assert seen == [0, 1, 0]


async def test_a_raid_that_was_active_and_is_not_has_failed(tree: Tree, watch: Watch) -> None:
    tree.array("md0", level="raid5", disks=3, missing=0, state="clean")
    await watch.look()
    tree.array("md0", level="raid5", disks=3, missing=0, state="inactive")
    assert (await watch.look())[FAILED, "md0"] == 1

    tree.array("md0", level="raid5", disks=3, missing=1, state="active")
    assert await watch.look() == {(FAILED, "md0"): 0, (MISSING, "md0"): 1}


async def test_a_raid_that_never_was_active_has_not_failed(tree: Tree, watch: Watch) -> None:
    tree.array("md127", level="raid5", disks=3, missing=0, state="inactive")

    assert await watch.look() == {(FAILED, "md127"): "notApplicable"}


def paths(tree: Tree, *states: str, uuid: str = "mpath-3600") -> None:
    """Lay a volume over paths that stand in some states."""
    tree.write("sys/block/dm-0/dm/uuid", uuid)
    tree.write("sys/block/dm-0/dm/name", "mpatha")
    for name in "abcd":
        slave = tree.root / f"sys/block/dm-0/slaves/sd{name}"
        if slave.is_symlink():
            slave.unlink()
    for name, state in zip("abcd", states, strict=False):
        tree.write(f"sys/block/sd{name}/device/state", state)
        tree.link(f"sys/block/dm-0/slaves/sd{name}", f"sys/block/sd{name}")


async def test_a_path_that_is_offline_is_told(tree: Tree, watch: Watch) -> None:
    paths(tree, "running", "running", "offline", "transport-offline")

    assert await watch.look() == {(PATHS_DOWN, "mpatha"): 2}


async def test_a_path_that_is_gone_is_missed(tree: Tree, watch: Watch) -> None:
    paths(tree, "running", "running")
    assert await watch.look() == {(PATHS_DOWN, "mpatha"): 0}
    paths(tree, "running")
    assert await watch.look() == {(PATHS_DOWN, "mpatha"): 1}

    watch.restart(tree.host)
    assert await watch.look() == {(PATHS_DOWN, "mpatha"): 1}


async def test_a_path_that_works_again_is_not_down_any_more(tree: Tree, watch: Watch) -> None:
    seen = []
    for state in ("running", "offline", "running"):
        paths(tree, "running", state)
        seen.append((await watch.look())[PATHS_DOWN, "mpatha"])

    assert seen == [0, 1, 0]


async def test_other_mapped_volumes_have_no_paths(tree: Tree, watch: Watch) -> None:
    paths(tree, "offline", uuid="LVM-abc")

    assert await watch.look() == {}
