"""What the kernel said is found in the journal's files: real ones, made by systemd-journald 252.

Its /dev/kmsg was a FIFO, into which each of the lines below was written as a record.
"""

import asyncio
import contextlib
import errno
import lzma
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.host.guard import Guard
from agent.host.journal import JournalDoor, Kernel
from agent.host.journalfile import JournalFile, StrangeError
from agent.host.kmsg import KernelLog

FILES: Final = Path(__file__).with_name("journals")
BOOT: Final = "11111111-2222-4333-8444-555555555555"
MACHINE: Final = "0123456789abcdef0123456789abcdef"
ERROR: Final = (
    b"EXT4-fs error (device sdb2): ext4_lookup:1785: inode #77: comm tar: deleted inode "
    b"referenced: 91"
)
EARLY: Final = (
    b"6,1000000,Linux version 6.1.0",
    b"4,1001000,nvme nvme4: I/O 31 QID 7 timeout, aborting",
    b"14,1002000,kernel BUG at mm/slub.c:1!",
    b"2,1003000," + ERROR,
    b"a line that was compressed",
)
LATE: Final = tuple(
    b"6,%d,usb 1-1: device number %d" % (1_004_000 + number * 1000, number)
    for number in range(1, 41)
)
PANIC: Final = b"0,1045000,Kernel panic - not syncing: hung_task: blocked tasks"


def content(name: str) -> bytes:
    return lzma.decompress((FILES / f"{name}.journal.xz").read_bytes())


class Machine:
    """A host with a journal, whose files a test puts there."""

    def __init__(self, root: Path, *, folder: str = "var/log/journal") -> None:
        self.root, self.folder = root, root / folder / MACHINE
        self.folder.mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "etc/machine-id").write_text(f"{MACHINE}\n")
        self.boot.write_text(f"{BOOT}\n")

    @property
    def boot(self) -> Path:
        return self.root / "boot"

    @property
    def active(self) -> Path:
        return self.folder / "system.journal"

    def put(self, name: str, path: Path | None = None) -> None:
        """Write to a file in its place, as the journal does."""
        with os.fdopen(os.open(path or self.active, os.O_RDWR | os.O_CREAT), "wb") as file:
            file.write(content(name))
            file.truncate()

    def rotate(self, then: str) -> None:
        """Let the file that is written to be full, and another one begin."""
        full = self.folder / "system@a.journal"
        self.active.rename(full)
        self.put("compact-full", full)
        self.put(then)

    def door(self) -> JournalDoor:
        return JournalDoor(self.root, self.boot, Guard())


async def said(door: JournalDoor) -> tuple[bytes, ...]:
    """Look, and return what is new, without the numbers of the records."""
    await door.look()
    found = list[bytes]()
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(door.read(1))
    return tuple(map(_plain, found))


def _plain(record: bytes) -> bytes:
    head, semicolon, text = record.strip(b"\n").partition(b";")
    if not semicolon:
        return head
    priority, _, microseconds, _ = head.split(b",")
    return b",".join((priority, microseconds, text))


@pytest.mark.parametrize("folder", ["var/log/journal", "run/log/journal"])
async def test_only_what_the_kernels_log_had_is_read_and_each_line_once(
    tmp_path: Path, folder: str
) -> None:
    machine = Machine(tmp_path, folder=folder)
    machine.put("compact-early")
    with contextlib.closing(machine.door()) as door:
        early = await said(door)
        again = await said(door)
        machine.put("compact-late")
        late = await said(door)

    assert (early, again, late) == (EARLY, (), LATE)


async def test_a_journal_in_the_older_form_says_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("plain-late")

    with contextlib.closing(machine.door()) as door:
        assert await said(door) == (*EARLY, *LATE)


async def test_nothing_is_missed_when_a_file_is_full(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    with contextlib.closing(machine.door()) as door:
        first = await said(door)
        machine.rotate("compact-next")
        rest = await said(door)
        again = await said(door)

    assert (first, rest, again) == (EARLY, (*LATE, PANIC), ())


async def test_files_that_were_full_before_are_read_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    machine.rotate("compact-next")

    with contextlib.closing(machine.door()) as door:
        assert await said(door) == (*EARLY, *LATE, PANIC)


async def test_what_the_kernel_said_in_another_boot_is_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("before-full", machine.folder / "system@b.journal")
    machine.put("compact-early")

    with contextlib.closing(machine.door()) as door:
        assert await said(door) == EARLY


async def test_files_of_users_and_of_other_machines_are_not_read(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    other = machine.folder.parent / "other"
    other.mkdir()
    machine.put("compact-late", other / "system.journal")
    machine.put("compact-late", machine.folder / "user-1000.journal")

    with contextlib.closing(machine.door()) as door:
        assert await said(door) == EARLY


async def test_what_was_in_memory_and_is_copied_to_the_disk_is_not_said_again(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path, folder="run/log/journal")
    machine.put("compact-early")
    disk = tmp_path / "var/log/journal" / MACHINE
    disk.mkdir(parents=True)
    with contextlib.closing(machine.door()) as door:
        first = await said(door)
        machine.active.rename(machine.folder / "system@a.journal")
        machine.put("plain-late", disk / "system.journal")

        assert (first, await said(door)) == (EARLY, LATE)


async def test_a_line_has_the_same_number_out_of_whichever_file(tmp_path: Path) -> None:
    numbers = list[list[int]]()
    for name in ("compact-late", "plain-late"):
        machine = Machine(tmp_path / name)
        machine.put(name)
        log = KernelLog(tmp_path / "kmsg", opened=Kernel(machine.root, machine.boot).opened)
        await log.once()
        numbers.append([each.sequence for each in log.stream("storage").take()])

    assert numbers == [[1_001_000, 1_003_000]] * 2


async def test_a_journal_of_earlier_boots_only_is_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("before-full", machine.folder / "system@b.journal")
    with contextlib.closing(machine.door()) as door:
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match="no journal of this boot"):
                await door.look()


async def test_a_file_that_is_removed_is_forgotten(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    machine.rotate("compact-next")
    with contextlib.closing(machine.door()) as door:
        await said(door)
        await asyncio.to_thread((machine.folder / "system@a.journal").unlink)

        assert await said(door) == ()


async def test_a_host_without_a_journal_has_trouble_with_both(tmp_path: Path) -> None:
    (tmp_path / "boot").write_text(BOOT)
    log = KernelLog(tmp_path / "kmsg", opened=Kernel(tmp_path, tmp_path / "boot").opened)

    await log.once()

    no_journal = "the host has no journal of this boot"
    assert log.trouble == f"{tmp_path}/kmsg: No such file or directory, and {no_journal}"


async def test_a_journal_that_makes_no_sense_is_trouble_and_no_silence(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    with contextlib.closing(machine.door()) as door:
        await said(door)
        damaged = content("compact-late").replace(b"usb 1-1", b"\0" * 7)
        whole = content("compact-early")
        kept = damaged[:208] + whole[208:]  # the head says that there is more than there is
        await asyncio.to_thread(_cut, machine.active, kept[:4096])

        with pytest.raises(OSError, match="the journal is damaged") as raised:
            await said(door)

    assert raised.value.errno == errno.EBADMSG


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Path]:
    """A file on whose opening a reader sleeps in the kernel until it is let go in the end."""
    path = tmp_path / "hangs"
    os.mkfifo(path)
    yield path
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


async def test_a_disk_that_hangs_has_one_thread_however_often_the_journal_is_opened(
    tmp_path: Path, hanging: Path
) -> None:
    kernel = Kernel(tmp_path, hanging, patience=timedelta(seconds=0.05))

    for _ in range(5):
        with pytest.raises(OSError, match="the journal does not answer"):
            await kernel.opened(tmp_path / "kmsg")

    assert len(threads("journal")) == 1


def threads(name: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == name]


async def test_files_that_a_look_reads_which_hangs_are_closed_when_it_returns(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    before = descriptors()
    with contextlib.closing(machine.door()) as door:
        await said(door)
        await until(lambda: not threads("journal"))
        machine.boot.unlink()
        os.mkfifo(machine.boot)
        looking = asyncio.ensure_future(door.look())
        await until(lambda: bool(threads("journal")))
        looking.cancel()
        await asyncio.wait({looking})
    during = descriptors()
    await asyncio.to_thread(machine.boot.write_text, BOOT)
    await until(lambda: not threads("journal"))

    assert (during > before, descriptors()) == (True, before)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _cut(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


async def test_a_line_that_is_written_while_we_listen_is_heard(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("compact-early")
    log = KernelLog(tmp_path / "kmsg", opened=Kernel(tmp_path, tmp_path / "boot").opened)

    async with followed(log):
        await until(lambda: log.lines == len(EARLY) - 1)
        await asyncio.to_thread(machine.rotate, "compact-next")
        await until(lambda: log.lines == len(EARLY) + len(LATE))

    lines = log.stream("trouble").take()
    assert [line.text[:12] for line in lines] == ["Kernel panic"]
    assert [line.source for line in log.stream("storage").take()] == ["journal"] * 2
    assert (log.trouble, log.losses.count, log.strange) == ("", 0, 1)


@contextlib.asynccontextmanager
async def followed(log: KernelLog) -> AsyncIterator[None]:
    running = asyncio.create_task(log.run(Random(1)))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what a program read has no event
            await asyncio.sleep(0.05)


WHOLE: Final = {name: content(name) for name in ("compact-full", "plain-full")}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*WHOLE]),
    st.lists(st.tuples(st.integers(0, 70_000), st.binary(min_size=1, max_size=8)), max_size=20),
    st.integers(0, 70_000) | st.none(),
)
def test_whatever_stands_in_a_file_reading_it_ends(
    name: str, scribbles: list[tuple[int, bytes]], cut: int | None
) -> None:
    scribbled = bytearray(WHOLE[name])
    for at, over in scribbles:
        scribbled[at : at + len(over)] = over
    fd = os.memfd_create("journal")
    os.write(fd, bytes(scribbled[:cut]))
    try:
        file = JournalFile(fd)
        entries = list(islice(file.fresh(BOOT.replace("-", "")), 5000))
    except StrangeError:
        return
    finally:
        os.close(fd)
    assert all(each.at >= 0 for each in entries)


def test_of_a_file_that_several_boots_wrote_only_one_of_them_is_read() -> None:
    with (FILES / "compact-full.journal.xz").open("rb") as packed, lzma.open(packed) as whole:
        fd = os.memfd_create("journal")
        os.write(fd, whole.read())
    file = JournalFile(fd)

    counts = [len(list(JournalFile(fd).fresh(boot))) for boot in (file.boot, "9" * 32)]

    file.close()
    assert counts == [len(EARLY) + len(LATE), 0]
