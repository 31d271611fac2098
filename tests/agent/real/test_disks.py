"""A disk that really takes nothing more is seen, and seen to be well when it does again."""

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host.linux import Host
from agent.probes.disk_load import STUCK, DiskLoad
from agent.probes.filesystems import READ_ONLY, Filesystems
from agent.probes.writes import FAILED, HUNG, Writes
from tests.agent.real.volumes import err, frozen, looped, mount_anew, mounted
from tests.agent.trees import Tree
from tests.agent.watched import Watch

SOON: Final = timedelta(seconds=0.3)
LONG: Final = timedelta(seconds=15)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A filesystem on a disk of its own."""
    with mounted(tmp_path) as folder:
        yield folder


def writing(mount: Path, patience: timedelta = LONG) -> Writes:
    return Writes(directories=(str(mount),), patience=patience)


async def test_a_write_that_really_hangs_is_told_until_it_returns(mount: Path) -> None:
    subject = str(mount)
    watch = Watch(writing(mount), Host())
    seen = [(await watch.look())[HUNG, subject]]
    with frozen(mount):
        watch.probe = writing(mount, SOON)
        seen += [(await watch.look())[HUNG, subject] for _ in range(2)]
    watch.probe = writing(mount)
    seen.append((await watch.look())[HUNG, subject])

    assert seen == [0, 1, 1, 0]


async def test_a_filesystem_that_really_erred_takes_no_writes_until_it_is_mounted_anew(
    mount: Path,
) -> None:
    watches = Watch(writing(mount), Host()), Watch(Filesystems(mounts=(str(mount),)), Host())

    async def look() -> object:
        written, seen = [await each.look() for each in watches]
        error = watches[0].levels[FAILED, str(mount)].fields["error"]
        return written[FAILED, str(mount)], error, seen[READ_ONLY, str(mount)]

    seen = [await look()]
    err(mount)
    seen.append(await look())
    mount_anew(mount)
    seen.append(await look())

    assert seen == [(0, "", 0), (1, "EROFS", 1), (0, "", 0)]


def seen_as_hardware(root: Path, disk: Path) -> Tree:
    """Make a machine that has a disk of software as one with hardware; what it does is real."""
    tree, folder = Tree(root=root), f"sys/block/{disk.name}"
    tree.write(f"{folder}/size", 1000)
    (root / folder / "device").mkdir()
    (root / folder / "stat").symlink_to(f"/sys/block/{disk.name}/stat")
    return tree


def write_through(disk: Path) -> None:
    door = os.open(disk, os.O_WRONLY | os.O_SYNC)
    try:
        os.pwrite(door, b"x" * 4096, 0)
    finally:
        os.close(door)


async def test_a_disk_that_really_ends_nothing_is_stuck_until_it_does(
    tmp_path: Path, mount: Path
) -> None:
    """The disk is a file on another one's filesystem, which is frozen meanwhile."""
    (mount / "disk").write_bytes(bytes(4 << 20))  # no holes: nothing is to be made for a write
    with looped(mount / "disk") as disk:
        tree = seen_as_hardware(tmp_path / "machine", disk)
        watch, seen = Watch(DiskLoad(), tree.host), list[object]()

        async def look(up: int) -> None:
            tree.up(up)
            seen.append((await watch.look())[STUCK, disk.name])

        await look(100)
        with frozen(mount):
            written = asyncio.create_task(asyncio.to_thread(write_through, disk))
            await under_way(disk)
            for up in (130, 160, 190):
                await look(up)
        await written
        await look(220)

    assert seen == [0, 0, 0, 1, 0]


async def under_way(disk: Path) -> None:
    """Wait until the kernel has begun to write."""
    inflight = Path(f"/sys/block/{disk.name}/inflight")
    async with asyncio.timeout(10):
        while "1" not in await asyncio.to_thread(inflight.read_text):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
