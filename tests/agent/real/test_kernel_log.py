"""What this machine's own kernel says is understood, and what its users say in its log is not."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent import state
from agent.host.kmsg import KMSG, KernelLog
from agent.host.linux import Host
from agent.probes.kernel_log import Complaints
from agent.probes.memory import OOM_KILLS, Memory
from agent.readings import Answer, Aside, Gap
from nodehealth.health import Event
from simulator.virtualtime import START
from tests.agent.real.volumes import disk, err, mounted
from tests.agent.watched import Watch
from tests.lacking import lacking

GREEDY: Final = "b = bytearray(256 << 20)"
LIMIT: Final = 24 << 20
CGROUP: Final = Path("/sys/fs/cgroup")
RATELIMIT: Final = Path("/proc/sys/kernel/printk_devkmsg")
RECORD: Final = b"<15>" + b"x" * 900
"""What a user says for debugging: no console shows it, and no probe wants it."""
GAP: Final = "records of the kernel's log were lost before they were counted"
SIZE_OF_RING: Final = 10
"""What syslog(2) is asked."""


@pytest.fixture(autouse=True)
def ring() -> Iterator[None]:
    """The one ring of the machine: whoever floods it drowns what others wait for."""
    if not os.access(KMSG, os.R_OK):
        lacking("needs the kernel's log")
    with KMSG.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture
def flood() -> Iterator[int]:
    """A kernel that takes whatever a user says; returns how many records its ring holds at most."""
    size = ctypes.CDLL(None).klogctl(SIZE_OF_RING, None, 0)
    if not os.access(KMSG, os.W_OK) or size <= 0:
        lacking("needs root and the kernel's log")
    before = RATELIMIT.read_text()
    try:
        RATELIMIT.write_text("on\n")
    except OSError:
        lacking("needs a kernel that can be told to take every record of a user")
    try:
        yield size // len(RECORD) + 1
    finally:
        RATELIMIT.write_text(before)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group in which little memory may be used."""
    if os.geteuid() != 0 or not os.access(KMSG, os.W_OK):
        lacking("needs root and the kernel's log")
    first = CGROUP / "memory" if (CGROUP / "memory").is_dir() else CGROUP
    folder = first / f"nodemend-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        lacking("needs a control group of its own")
    try:
        limit = next((folder / each for each in LIMITS if (folder / each).exists()), None)
        if limit is None:
            lacking("needs a control group that limits memory")
        limit.write_text(str(LIMIT))
        with contextlib.suppress(OSError):  # v1 has no such file
            (folder / "memory.swap.max").write_text("0")
        yield folder
    finally:
        folder.rmdir()


LIMITS: Final = ("memory.max", "memory.limit_in_bytes")


def ran_out(group: Path) -> int:
    """Run a program that takes more than its group may have; return how it ended."""
    begun = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0'); {GREEDY}"
    return subprocess.run([sys.executable, "-c", begun], check=False).returncode


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A filesystem on a disk of its own."""
    with mounted(tmp_path) as folder:
        yield folder


async def test_a_real_error_of_a_filesystem_is_told_with_where_it_is_mounted(mount: Path) -> None:
    device = disk(mount)

    await asyncio.to_thread(err, mount)

    kinds = {
        str(each.fields["kind"])
        for each in await happened()
        if (each.subject, each.fields.get("mount")) == (device, str(mount))
    }
    assert kinds == {"error", "journal", "read-only"}


async def happened(log: KernelLog | None = None) -> Sequence[Event]:
    """Return all that the ring tells, or what it has told since it was read last."""
    log = log or KernelLog(KMSG)
    await log.once()
    answers = await asked(log)
    begun = state.begin(None, boot_id="b", node_uid="u", probes=["kernel-log"], now=START)
    return state.answered(begun, "kernel-log", answers, START).events


async def asked(log: KernelLog) -> Sequence[Answer | Aside]:
    return await Complaints().check(Host(kernel_log=log), {})


async def test_what_the_real_ring_overwrote_before_it_was_read_is_counted_and_a_gap(
    flood: int,
) -> None:
    log = KernelLog(KMSG)
    reading = asyncio.create_task(log.run(Random(1)))
    await until(lambda: log.lines > 0)

    say(2 * flood)  # and leave the reader no turn
    await until(lambda: log.losses.count > 0)
    reading.cancel()
    await asyncio.wait({reading})

    assert log.losses.count >= flood
    assert GAP in [each.why for each in await asked(log) if isinstance(each, Gap)]


async def test_what_the_real_ring_overwrote_while_no_agent_ran_is_counted_too(flood: int) -> None:
    earlier = KernelLog(KMSG)
    await earlier.once()
    log = KernelLog(KMSG)
    log.resume(earlier.position)

    say(2 * flood)
    await log.once()

    assert log.losses.count >= flood
    assert GAP in [each.why for each in await asked(log) if isinstance(each, Gap)]


def say(records: int) -> None:
    with KMSG.open("wb", buffering=0) as ring:
        for _ in range(records):
            ring.write(RECORD)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what a program read has no event
            await asyncio.sleep(0.01)


async def test_a_real_kill_is_told_and_a_users_line_is_not(group: Path) -> None:
    log = KernelLog(KMSG)
    await happened(log)

    assert await asyncio.to_thread(ran_out, group) == -9
    await asyncio.to_thread(KMSG.write_text, "<6>kernel BUG at mm/slub.c:1!\n")

    events = await happened(log)
    assert "cgroup" in {each.fields.get("scope") for each in events}
    assert "kernel.errors" not in {each.name for each in events}


async def test_a_real_kill_is_counted_by_the_kernel_too(group: Path) -> None:
    watch = Watch(Memory(), Host())
    await watch.look()

    await asyncio.to_thread(ran_out, group)

    await watch.look()
    assert watch.events[OOM_KILLS, ""] >= 1
