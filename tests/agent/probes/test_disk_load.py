"""A disk that ends nothing that it began is stuck; one that is merely busy, or idle, is not."""

from pathlib import Path
from random import Random

import pytest

from agent.host.linux import Host
from agent.probes.disk_load import LATENCY, STUCK, DiskLoad
from tests.agent.trees import Tree
from tests.agent.watched import Watch


class Story:
    """A disk of which a test says what it did in each half minute."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        tree.disk("nvme0n1")
        self.watch = Watch(DiskLoad(), tree.host)
        self.uptime = 100

    async def look(self, **worked: float) -> tuple[object, object]:
        self.tree.worked("nvme0n1", **worked)  # type: ignore[arg-type]  # whole where they must be
        self.uptime += 30
        self.tree.up(self.uptime)
        told = await self.watch.look()
        return told[STUCK, "nvme0n1"], told.get((LATENCY, "nvme0n1"))


@pytest.fixture
def disk(tmp_path: Path) -> Story:
    """One NVMe disk."""
    return Story(Tree(root=tmp_path))


async def test_an_idle_disk_is_well(disk: Story) -> None:
    assert await disk.look() == (0, None)
    assert await disk.look() == (0, 0)


async def test_a_busy_disk_that_ends_what_it_begins_is_well(disk: Story) -> None:
    told = [await disk.look(reads=n, waiting=64, seconds=n / 100) for n in range(1, 6)]

    assert told == [(0, None), *[(0, 0)] * 4]


async def test_a_disk_that_ends_nothing_for_a_minute_is_stuck(disk: Story) -> None:
    told = [await disk.look(reads=5, waiting=1) for _ in range(4)]

    assert [each[0] for each in told] == [0, 0, 1, 1]
    assert (await disk.look(reads=6, waiting=1))[0] == 0


async def test_a_disk_that_ends_discards_is_not_stuck(disk: Story) -> None:
    told = [await disk.look(waiting=1, discards=n) for n in range(5)]

    assert [each[0] for each in told] == [0] * 5


async def test_a_disk_that_had_a_rest_in_between_begins_anew(disk: Story) -> None:
    told = [await disk.look(reads=5, waiting=n) for n in (1, 1, 0, 1, 1, 1)]

    assert [each[0] for each in told] == [0, 0, 0, 0, 0, 1]


async def test_another_agent_does_not_take_back_what_is_still_so(disk: Story) -> None:
    for _ in range(3):
        await disk.look(reads=5, waiting=1)
    disk.watch.restart(disk.tree.host)

    told = [await disk.look(reads=5, waiting=1)]
    disk.watch.restart(disk.tree.host)
    told.append(await disk.look(reads=5))

    assert [each[0] for each in told] == [1, 0]


async def test_slow_commands_are_told_in_seconds(disk: Story) -> None:
    await disk.look()

    assert await disk.look(reads=10, seconds=25) == (0, 2)
    assert await disk.look(reads=10, seconds=25, waiting=3) == (0, 2)
    assert await disk.look(reads=1010, seconds=30) == (0, 0)


async def test_an_hour_of_a_disk_at_work_changes_nothing(disk: Story) -> None:
    """Commands take up to half a second on a disk that is overloaded."""
    random, reads, seconds = Random(5), 0, 0.0
    await disk.look()
    await disk.look()
    before = disk.watch.report
    for _ in range(120):
        more = random.choice([0, 1, random.randint(1, 10_000)])
        reads, seconds = reads + more, seconds + more * random.uniform(0, 0.5)
        await disk.look(reads=reads, seconds=seconds, waiting=random.randint(0, 64) if more else 0)

    assert disk.watch.report == before


async def test_a_disk_of_software_is_not_watched(disk: Story) -> None:
    disk.tree.write("sys/block/loop0/size", 1000)
    disk.tree.worked("loop0", waiting=1)
    await disk.look()

    assert {subject for _, subject in await disk.watch.look()} == {"nvme0n1"}


async def test_the_disks_of_this_very_machine_are_understood() -> None:
    watch = Watch(DiskLoad(), Host())
    await watch.look()

    told = await watch.look()

    assert not any(isinstance(each, str) for each in told.values())
