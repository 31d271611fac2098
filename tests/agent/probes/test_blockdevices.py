"""A disk of the host that is gone is missed; one that left with its pod is not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import state
from agent.host.linux import Host
from agent.probes.blockdevices import IO_ERRORS, MISSING, NOT_LIVE, BlockDevices
from agent.readings import Answer, Counter
from agent.state import State
from nodehealth.signals import Knowledge
from tests.agent.trees import Tree

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Watch:
    """An agent that looks at a machine again and again."""

    tree: Tree
    probe: BlockDevices = field(default_factory=BlockDevices)
    known: State = field(
        default_factory=lambda: state.begin(
            None, boot_id="b1", node_uid="u", probes=["block"], now=NOON
        )
    )

    async def look(self) -> dict[tuple[str, str], float | str | None]:
        """Look once and return all levels."""
        self.known = state.answered(self.known, "block", await self.answers(), NOON)
        return {
            (each.name, each.subject): each.value
            if each.knowledge is Knowledge.KNOWN
            else str(each.knowledge)
            for each in self.known.levels["block"]
        }

    async def answers(self) -> Sequence[Answer]:
        """Ask the probe."""
        return await self.probe.check(self.tree.host, state.past(self.known, "block"))

    def begin_again(self, boot_id: str) -> None:
        """Let the agent start anew."""
        self.known = state.begin(
            self.known, boot_id=boot_id, node_uid="u", probes=["block"], now=NOON
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with a system disk, a data disk and one that no filesystem lies on."""
    machine = Tree(root=tmp_path)
    machine.up(100)
    machine.disk("sda", "8:0", serial="S1")
    machine.disk("nvme1n1", "259:0", serial="S2")
    machine.disk("nvme2n1", "259:4", serial="S3")
    machine.mounts(
        {
            "/": "8:1 /dev/sda1",
            "/data": "259:1 /dev/nvme1n1p1",
            "/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/v/mount": "259:5 /dev/nvme2n1p1",
        }
    )
    return machine


async def test_the_disks_under_the_hosts_filesystems_are_there(tree: Tree) -> None:
    assert await Watch(tree).look() == {(MISSING, "sda"): 0, (MISSING, "nvme1n1"): 0}


async def test_a_disk_that_fell_off_the_bus_is_missed_until_it_is_back(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()

    tree.unplug("nvme1n1")
    gone = [await watch.look() for _ in range(2)]
    tree.link("sys/block/nvme1n1", "sys/devices/pci0/0/block/nvme1n1")
    back = await watch.look()

    assert [each[MISSING, "nvme1n1"] for each in (*gone, back)] == [1, 1, 0]


async def test_a_disk_that_is_dead_but_kept_is_missed(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()

    tree.write("sys/block/sda/size", 0)

    assert (await watch.look())[MISSING, "sda"] == 1


async def test_a_disk_that_came_back_under_another_name_is_not_missed(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()

    tree.unplug("nvme1n1")
    tree.disk("nvme7n1", serial="S2", at="pci0/1")

    assert (await watch.look())[MISSING, "nvme1n1"] == 0


async def test_a_volume_that_left_with_its_pod_is_not_missed(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()

    tree.unplug("nvme2n1")

    assert (MISSING, "nvme2n1") not in await watch.look()


async def unmounted(tree: Tree, *, named: tuple[str, ...] = ()) -> dict[tuple[str, str], object]:
    """Unmount the data disk, look, take it away, and look again."""
    watch = Watch(tree, probe=BlockDevices(devices=named))
    await watch.look()
    tree.mounts({"/": "8:1 /dev/sda1"})
    await watch.look()
    tree.unplug("nvme1n1")
    return {**await watch.look()}


async def test_a_disk_that_was_unmounted_before_it_was_detached_is_not_missed(tree: Tree) -> None:
    assert await unmounted(tree) == {(MISSING, "sda"): 0}


async def test_a_disk_that_is_named_is_missed_though_it_was_unmounted(tree: Tree) -> None:
    assert (await unmounted(tree, named=("nvme1n1",)))[MISSING, "nvme1n1"] == 1


async def test_a_disk_that_is_named_is_missed_without_a_filesystem(tree: Tree) -> None:
    watch = Watch(tree, probe=BlockDevices(devices=("nvme2n1",)))
    await watch.look()

    tree.unplug("nvme2n1")

    assert (await watch.look())[MISSING, "nvme2n1"] == 1


async def test_a_disk_that_is_named_and_never_was_there_is_unknown_for_good(tree: Tree) -> None:
    watch = Watch(tree, probe=BlockDevices(devices=("nvme9n1",)))

    seen = [await watch.look() for _ in range(3)]

    assert {each[MISSING, "nvme9n1"] for each in seen} == {"unknown"}


async def test_an_agent_that_starts_again_still_misses_it(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()
    tree.unplug("nvme1n1")

    watch.begin_again("b1")

    assert (await watch.look())[MISSING, "nvme1n1"] == 1


async def test_after_a_reboot_disks_are_learned_anew(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()
    tree.unplug("nvme1n1")

    watch.begin_again("b2")

    assert await watch.look() == {(MISSING, "sda"): 0}


async def test_a_disk_is_found_through_mapped_devices_and_raid(tree: Tree) -> None:
    for name, number, lower in (("md0", "9:0", "nvme2n1"), ("dm-0", "253:0", "md0")):
        real = f"sys/devices/virtual/block/{name}"
        tree.write(f"{real}/size", 1000)
        below = f"sys/devices/virtual/block/{lower}"
        if lower == "nvme2n1":
            below = "sys/devices/pci0/0/block/nvme2n1/nvme2n1p1"
        tree.link(f"{real}/slaves/{Path(below).name}", below)
        tree.link(f"sys/dev/block/{number}", real)
        tree.link(f"sys/block/{name}", real)
    tree.mounts({"/": "8:1 /dev/sda1", "/data": "253:0 /dev/mapper/data"})

    assert set(await Watch(tree).look()) == {(MISSING, "sda"), (MISSING, "nvme2n1")}


async def test_a_filesystem_with_a_number_of_its_own_is_found_by_its_device(tree: Tree) -> None:
    tree.mounts({"/": "0:44 /dev/nvme1n1p1", "/nfs": "0:45 server:/export"})

    assert set(await Watch(tree).look()) == {(MISSING, "nvme1n1")}


async def test_a_stick_is_not_missed(tree: Tree) -> None:
    tree.write("sys/block/nvme1n1/removable", 1)

    assert set(await Watch(tree).look()) == {(MISSING, "sda")}


@pytest.mark.parametrize(
    ("said", "value"),
    [("live", 0), ("resetting", 1), ("connecting", 1), ("deleting (no IO)", 1), ("dead", 1)],
)
async def test_a_controller_serves_only_when_it_is_live(
    tree: Tree, said: str, value: float
) -> None:
    tree.write("sys/class/nvme/nvme1/state", said)
    tree.write("sys/class/nvme/nvme1/transport", "pcie")
    watch = Watch(tree)

    assert (await watch.look())[NOT_LIVE, "nvme1"] == value
    (level,) = [each for each in watch.known.levels["block"] if each.name == NOT_LIVE]
    assert level.fields == {"state": said}


async def test_a_controller_that_is_live_again_is_well(tree: Tree) -> None:
    watch, seen = Watch(tree), list[object]()
    for word in ("live", "dead", "live"):
        tree.write("sys/class/nvme/nvme0/state", word)
        seen.append((await watch.look())[NOT_LIVE, "nvme0"])

    assert seen == [0, 1, 0]


async def test_a_controller_in_another_machine_is_a_pods(tree: Tree) -> None:
    tree.write("sys/class/nvme/nvme1/state", "connecting")
    tree.write("sys/class/nvme/nvme1/transport", "tcp")

    assert (NOT_LIVE, "nvme1") not in await Watch(tree).look()


async def test_errors_that_a_disk_counts_are_told_as_they_grow(tree: Tree) -> None:
    tree.write("sys/block/sda/device/ioerr_cnt", "0x1f")
    watch = Watch(tree)
    assert Counter(name=IO_ERRORS, subject="sda", total=31, uptime=100) in await watch.answers()
    await watch.look()

    tree.write("sys/block/sda/device/ioerr_cnt", "0x21")
    tree.up(130)
    await watch.look()

    assert [(each.name, each.subject, each.count) for each in watch.known.events] == [
        (IO_ERRORS, "sda", 2)
    ]


async def test_a_machine_without_sysfs_has_nothing_to_tell(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    tree.mounts({"/": "8:1 /dev/sda1"})

    assert await Watch(tree).look() == {}


async def test_when_sysfs_goes_away_nothing_is_known_and_nothing_missed(tree: Tree) -> None:
    watch = Watch(tree)
    await watch.look()

    (tree.root / "sys").rename(tree.root / "elsewhere")

    assert set((await watch.look()).values()) == {"unknown"}


async def test_this_machine_misses_nothing() -> None:
    answers = await BlockDevices().check(Host(), {})

    state.answered(Watch(Tree(root=Path("/"))).known, "block", answers, NOON)
