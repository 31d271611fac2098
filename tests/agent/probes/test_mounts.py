"""A filesystem that does not answer is found to hang, a real one too, and is asked only once."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host.linux import Host
from agent.host.volumes import Statvfs
from agent.probes.mounts import HUNG, MISSING, Mounts
from tests.agent.trees import Tree
from tests.agent.watched import Watch
from tests.lacking import lacking

SOON: Final = timedelta(milliseconds=50)
TABLE: Final = """
# a comment
UUID=1 / ext4 defaults 0 1
nas:/data /data nfs hard 0 0
nas:/by\\040hand /by\\040hand nfs noauto 0 0
nas:/lazy /lazy nfs x-systemd.automount 0 0
UUID=2 none swap sw 0 0
too short
"""


class Server:
    """A file server that answers, or fails, or is silent until the test ends."""

    def __init__(self) -> None:
        self.error = 0
        self.asked = list[str]()
        self.answers = threading.Event()
        self.answers.set()

    def statvfs(self, path: str) -> os.statvfs_result:
        self.asked.append(path)
        self.answers.wait()
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return os.statvfs("/")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that lets go of whoever waits for it in the end."""
    nas = Server()
    yield nas
    nas.answers.set()


def host(root: Path, statvfs: Statvfs, *mounted: str) -> Host:
    """Return a host on which filesystems are mounted, each a path and its type."""
    rows = [
        f"{n} 1 0:{n} / {'' if root == Path('/') else root}{each.split()[0]} rw - "
        f"{each.split()[1]} nas:/{n} rw"
        for n, each in enumerate(mounted, 2)
    ]
    (root / "mountinfo").write_text("\n".join(rows))
    return Host(root=root, mountinfo=root / "mountinfo", statvfs=statvfs)


async def test_a_mount_that_answers_is_well(tmp_path: Path, server: Server) -> None:
    watch = Watch(Mounts(), host(tmp_path, server.statvfs, "/data nfs4"))

    assert await watch.look() == {(HUNG, "/data"): 0}


@pytest.mark.parametrize(
    "mounted", ["/ ext4", "/var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/v nfs4"]
)
async def test_local_disks_and_pods_mounts_are_not_asked(
    tmp_path: Path, server: Server, mounted: str
) -> None:
    watch = Watch(Mounts(), host(tmp_path, server.statvfs, mounted))

    assert await watch.look() == {}
    assert server.asked == []


async def test_one_that_does_not_answer_hangs_and_is_not_asked_again_meanwhile(
    tmp_path: Path, server: Server
) -> None:
    door = host(tmp_path, server.statvfs, "/data nfs4", "/scratch lustre")
    watch = Watch(Mounts(patience=SOON), door)
    server.answers.clear()

    told = [await watch.look() for _ in range(3)]

    assert told == [{(HUNG, "/data"): 1, (HUNG, "/scratch"): 1}] * 3
    assert len(server.asked) == 2
    assert watch.levels[HUNG, "/data"].fields["error"] == "does not answer"
    server.answers.set()
    patient = Watch(Mounts(), door)
    assert await patient.look() == {(HUNG, "/data"): 0, (HUNG, "/scratch"): 0}


@pytest.mark.parametrize(
    ("error", "told"),
    [(errno.ESTALE, 1), (errno.ENOTCONN, 1), (errno.EIO, 1), (errno.EACCES, "unknown")],
)
async def test_a_mount_whose_server_is_gone_is_dead_and_one_that_is_forbidden_unknown(
    tmp_path: Path, server: Server, error: int, told: object
) -> None:
    server.error = error

    watch = Watch(Mounts(), host(tmp_path, server.statvfs, "/data nfs4"))

    assert await watch.look() == {(HUNG, "/data"): told}


async def test_a_mount_that_took_the_place_of_a_dead_one_is_well(
    tmp_path: Path, server: Server
) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        return server.statvfs(path) if not server.asked else os.statvfs("/")

    server.answers.clear()
    watch = Watch(Mounts(patience=SOON), host(tmp_path, statvfs, "/data nfs4"))
    dead = await watch.look()

    table = tmp_path / "mountinfo"
    table.write_text(table.read_text().replace(" 0:2 ", " 0:3 "))

    assert (dead, await watch.look()) == ({(HUNG, "/data"): 1}, {(HUNG, "/data"): 0})


async def test_what_is_listed_is_missed_once_it_was_there(tmp_path: Path, server: Server) -> None:
    Tree(root=tmp_path).write("etc/fstab", TABLE)
    everything = ("/ ext4", "/data nfs4", "/by\\040hand nfs4", "/lazy nfs4")
    watch = Watch(Mounts(), host(tmp_path, server.statvfs, *everything))
    told = await watch.look()
    assert {key: value for key, value in told.items() if key[0] == MISSING} == {
        (MISSING, "/"): 0,
        (MISSING, "/data"): 0,
    }

    watch.restart(host(tmp_path, server.statvfs, "/ ext4"))
    assert await watch.look() == {(MISSING, "/"): 0, (MISSING, "/data"): 1}


async def test_what_is_listed_and_never_was_there_is_not_missed(
    tmp_path: Path, server: Server
) -> None:
    Tree(root=tmp_path).write("etc/fstab", TABLE)

    watch = Watch(Mounts(), host(tmp_path, server.statvfs))

    assert await watch.look() == {}


async def test_what_the_settings_name_is_missed_from_the_start(
    tmp_path: Path, server: Server
) -> None:
    watch = Watch(Mounts(expected=("/data",)), host(tmp_path, server.statvfs))

    assert await watch.look() == {(MISSING, "/data"): 1}


FUSE: Final = """
import asyncio, ctypes, datetime, json, os, sys, threading
from agent import state
from agent.host.linux import Host
from agent.probes.mounts import Mounts
from tests.agent.watched import Watch

where = sys.argv[1]
if not os.access("/dev/fuse", os.R_OK | os.W_OK):
    raise SystemExit("lacking: /dev/fuse")
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"nobody", where.encode(), b"fuse.nobody", 0, options):
    raise SystemExit(f"lacking: {os.strerror(ctypes.get_errno())}")
watch = Watch(Mounts(patience=datetime.timedelta(milliseconds=300)), Host())

async def looks():
    return [(await watch.look())["disk.mount_hung", where] for _ in range(3)]

told = asyncio.run(looks())
threads = sum(each.name.startswith("statvfs") for each in threading.enumerate())
os.close(fd)
told.append(asyncio.run(looks())[-1])
print(json.dumps([told, threads, watch.levels["disk.mount_hung", where].fields["error"]]))
"""


def test_a_real_filesystem_of_which_nobody_answers_is_found_to_hang(tmp_path: Path) -> None:
    """The kernel waits for a program that serves it, and nobody does; then that program is gone."""
    where = tmp_path / "mnt"
    where.mkdir()
    ended = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-c", FUSE, str(where)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    if "lacking" in ended.stderr or "unshare" in ended.stderr:
        lacking("this machine has no FUSE, or lets nobody mount a filesystem of his own")

    told, threads, error = json.loads(ended.stdout)

    assert told == [1, 1, 1, 1]
    assert threads == 1
    assert error == os.strerror(errno.ENOTCONN)


async def test_many_that_hang_take_no_longer_than_one(tmp_path: Path, server: Server) -> None:
    mounted = [f"/data{n:02} nfs4" for n in range(30)]
    watch = Watch(Mounts(patience=SOON), host(tmp_path, server.statvfs, *mounted))
    server.answers.clear()

    async with asyncio.timeout(30 * SOON.total_seconds()):
        told = await watch.look()

    assert list(told.values()) == [1] * 16
