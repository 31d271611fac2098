"""Full filesystems are seen, on a real one too, and one that hangs hides no other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import state
from agent.host.linux import Host
from agent.probes.filesystems import INODES, READ_ONLY, SPACE, Filesystems
from agent.readings import Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge
from tests.lacking import lacking

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAST = timedelta(seconds=0.05)


def statvfs(
    *, blocks: int = 1000, free: int = 400, available: int = 300, inodes: int = 50
) -> os.statvfs_result:
    """Make an answer of the kernel; a hundred of the free blocks are reserved for root."""
    return os.statvfs_result((4096, 4096, blocks, free, available, inodes, 25, 25, 0, 255))


def machine(
    folder: Path, *mounts: str, measure: Callable[[str], os.statvfs_result] = lambda _: statvfs()
) -> Host:
    """Make a host with some mounts, each a filesystem of its own."""
    lines = [
        f"{n} {min(n - 1, 1)} 8:{n} / {mount} rw - ext4 /dev/sd{n} rw"
        for n, mount in enumerate(mounts, 1)
    ]
    (folder / "mountinfo").write_text("\n".join(lines))
    return Host(mountinfo=folder / "mountinfo", statvfs=measure)


def spoken(readings: list[Reading]) -> dict[tuple[str, str], float | str | None]:
    return {
        (each.name, each.subject): each.value
        if each.knowledge is Knowledge.KNOWN
        else str(each.knowledge)
        for each in readings
    }


async def test_what_is_reserved_for_root_counts_neither_as_free_nor_as_there(
    tmp_path: Path,
) -> None:
    readings = await Filesystems().check(machine(tmp_path, "/"), {})

    assert spoken(list(readings)) == {
        (SPACE, "/"): 300 / 900,
        (INODES, "/"): 0.5,
        (READ_ONLY, "/"): 0.0,
    }
    assert readings[0].fields == {"device": "/dev/sd1", "fstype": "ext4"}


async def test_where_inodes_are_made_as_needed_their_share_does_not_apply(tmp_path: Path) -> None:
    host = machine(tmp_path, "/", measure=lambda _: statvfs(inodes=0))

    readings = await Filesystems().check(host, {})

    assert spoken(list(readings))[INODES, "/"] == "notApplicable"


async def test_a_filesystem_without_blocks_has_no_share_of_them(tmp_path: Path) -> None:
    host = machine(tmp_path, "/", measure=lambda _: statvfs(blocks=0, free=0, available=0))

    readings = await Filesystems().check(host, {})

    assert spoken(list(readings))[SPACE, "/"] == "notApplicable"


async def test_a_filesystem_that_hangs_is_unknown_and_the_others_are_known(
    tmp_path: Path,
) -> None:
    with hanging(tmp_path / "fifo") as hang:
        host = machine(
            tmp_path, "/", "/nfs", measure=lambda path: hang() if path == "/nfs" else statvfs()
        )
        probe = Filesystems(patience=FAST)

        readings = [await probe.check(host, {}) for _ in range(3)][-1]

    assert spoken(list(readings)) == {
        (SPACE, "/"): 300 / 900,
        (INODES, "/"): 0.5,
        (READ_ONLY, "/"): 0.0,
        (READ_ONLY, "/nfs"): 0.0,
        (SPACE, "/nfs"): "unknown",
        (INODES, "/nfs"): "unknown",
    }
    assert readings[-1].why == "statvfs of /nfs (8:2) does not return"


async def test_a_filesystem_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    def stale(_: str) -> os.statvfs_result:
        raise OSError(116, "Stale file handle")

    readings = await Filesystems().check(machine(tmp_path, "/nfs", measure=stale), {})

    unknown = [each for each in readings if each.knowledge is Knowledge.UNKNOWN]
    assert {each.name: each.why for each in unknown} == dict.fromkeys(
        (SPACE, INODES), "Stale file handle"
    )


async def test_only_the_named_mounts_are_watched_and_a_missing_one_is_unknown(
    tmp_path: Path,
) -> None:
    probe = Filesystems(mounts=("/", "/gone"))

    readings = await probe.check(machine(tmp_path, "/", "/data"), {})

    assert {each.subject for each in readings} == {"/", "/gone"}
    assert readings[-1].why == "nothing is mounted at /gone"


async def test_there_is_a_limit_to_what_is_watched_unnamed(tmp_path: Path) -> None:
    host = machine(tmp_path, *(f"/data{n:03}" for n in range(100)))

    readings = await Filesystems(most=3).check(host, {})

    assert sorted({each.subject for each in readings}) == ["/data000", "/data001", "/data002"]


async def test_a_name_that_is_too_long_to_tell_is_shortened(tmp_path: Path) -> None:
    (reading, *_) = await Filesystems().check(machine(tmp_path, f"/{'x' * 300}"), {})

    assert len(reading.subject) == 253
    assert reading.subject.endswith("…")


class Turning:
    """A machine whose filesystem is writable or not, as a test says, and the agent that looks."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "mountinfo"
        self._host = Host(mountinfo=self._file, statvfs=lambda _: statvfs())
        self._known = state.begin(None, boot_id="b", node_uid="u", probes=["disk"], now=NOON)

    async def seen(self, superblock: str, *, mount: str = "rw", fstype: str = "ext4") -> Level:
        """Look at it as it is now, after all that was seen before."""
        self._file.write_text(f"1 0 8:1 / /data {mount} - {fstype} /dev/sda1 {superblock}")
        answers = await Filesystems().check(self._host, state.past(self._known, "disk"))
        self._known = state.answered(self._known, "disk", answers, NOON)
        (level,) = [each for each in self._known.levels["disk"] if each.name == READ_ONLY]
        return level

    def restart(self) -> None:
        """Let the agent begin again in the same boot."""
        self._known = state.begin(self._known, boot_id="b", node_uid="u", probes=["disk"], now=NOON)


async def test_a_filesystem_that_turns_read_only_is_told_until_it_is_writable_again(
    tmp_path: Path,
) -> None:
    machine = Turning(tmp_path)

    seen = [await machine.seen(each) for each in ("rw", "ro", "ro", "rw,errors=remount-ro")]

    assert [each.value for each in seen] == [0, 1, 1, 0]


async def test_what_was_never_writable_did_not_turn_read_only(tmp_path: Path) -> None:
    machine = Turning(tmp_path)

    seen = [await machine.seen(each) for each in ("ro", "ro", "rw", "ro")]

    assert [each.value for each in seen] == [None, None, 0, 1]
    assert seen[0].knowledge is Knowledge.NOT_APPLICABLE


async def test_another_filesystem_in_its_place_did_not_turn_read_only(tmp_path: Path) -> None:
    machine = Turning(tmp_path)
    await machine.seen("rw")

    assert (await machine.seen("ro", fstype="iso9660")).value is None


async def test_an_agent_that_starts_again_remembers_that_it_was_writable(tmp_path: Path) -> None:
    machine = Turning(tmp_path)
    await machine.seen("rw")

    machine.restart()

    assert (await machine.seen("rw,emergency_ro")).value == 1


async def test_the_agents_own_read_only_view_of_the_host_says_nothing(tmp_path: Path) -> None:
    assert (await Turning(tmp_path).seen("rw", mount="ro")).value == 0


async def test_a_memory_filesystem_that_turns_read_only_stays_in_sight(tmp_path: Path) -> None:
    machine = Turning(tmp_path)
    await machine.seen("rw", fstype="tmpfs")

    assert (await machine.seen("ro", mount="ro", fstype="tmpfs")).value == 1


FILL = """
import asyncio, json, os, pathlib, subprocess, sys
from agent.host.linux import Host
from agent.probes.filesystems import Filesystems

mount = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "small", mount], check=True)
probe, host = Filesystems(), Host(root=pathlib.Path(sys.argv[2]))
told = str("/" / mount.relative_to(sys.argv[2]))

def sweep():
    readings = asyncio.run(probe.check(host, {}))
    return {each.name: each.value for each in readings if each.subject == told}

seen = [sweep()]
try:
    with open(mount / "data", "wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
except OSError:
    seen.append(sweep())
os.truncate(mount / "data", 0)
try:
    for n in range(1000):
        (mount / str(n)).touch()
except OSError:
    seen.append(sweep())
print(json.dumps(seen))
"""


def may_mount() -> bool:
    tried = subprocess.run(
        ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/tmp"],  # noqa: S108 - in a namespace of its own
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


@pytest.fixture
def namespace() -> list[str]:
    """Give the words that run a program in a user and mount namespace of its own."""
    if not may_mount():
        reason = "this machine allows no mounts in a user namespace, so nothing real can be filled"
        lacking(reason)
    return ["unshare", "-Urm"]


@pytest.mark.parametrize("root", ["/", "the host's root"])
def test_a_real_filesystem_that_is_really_filled_is_seen_to_be_full(
    tmp_path: Path, namespace: list[str], root: str
) -> None:
    mount = tmp_path / "a mount"
    mount.mkdir()
    below = str(tmp_path) if root != "/" else root

    ended = subprocess.run(
        [*namespace, sys.executable, "-c", FILL, str(mount), below],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )

    empty, no_space, no_inodes = json.loads(ended.stdout)
    assert empty[SPACE] == 1.0
    assert empty[INODES] > 0.9
    assert no_space[SPACE] == 0.0
    assert no_inodes[INODES] == 0.0
    assert no_inodes[SPACE] > 0.9


REMOUNT = """
import asyncio, datetime, json, pathlib, subprocess, sys
from agent import state
from agent.host.linux import Host
from agent.probes.filesystems import READ_ONLY, Filesystems

mount, now = sys.argv[1], datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
probe, host = Filesystems(), Host()
known = state.begin(None, boot_id="b", node_uid="u", probes=["disk"], now=now)

def sweep():
    global known
    answers = asyncio.run(probe.check(host, state.past(known, "disk")))
    known = state.answered(known, "disk", answers, now)
    return state.past(known, "disk")[READ_ONLY, mount].value

def call(*command):
    subprocess.run(["mount", *command, mount], check=True)

call("-t", "tmpfs", "-o", "size=1m", "small")
seen = [sweep()]
call("-o", "remount,ro")
seen.append(sweep())
call("-o", "remount,rw")
print(json.dumps([*seen, sweep()]))
"""


def test_a_real_filesystem_that_is_really_remounted_is_seen_to_be_read_only(
    tmp_path: Path, namespace: list[str]
) -> None:
    ended = subprocess.run(
        [*namespace, sys.executable, "-c", REMOUNT, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert json.loads(ended.stdout) == [0, 1, 0]


@contextmanager
def hanging(fifo: Path) -> Iterator[Callable[[], os.statvfs_result]]:
    """Give a call that sleeps in the kernel until the end."""
    os.mkfifo(fifo)

    def hang() -> os.statvfs_result:
        fifo.read_bytes()
        return statvfs()

    yield hang
    os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
