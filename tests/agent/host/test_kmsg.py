"""The kernel's log is followed through every failure, and what was missed is known."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from agent.host.doors import Door
from agent.host.kmsg import KernelLog
from agent.host.records import NVIDIA, Line, Position
from nodehealth.kit.clocks import Clock
from simulator import virtualtime
from simulator.virtualtime import played

XID = "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus"


def raw(sequence: int, text: str = XID, *, seconds: float = 0.0, priority: int = 2) -> bytes:
    return f"{priority},{sequence},{round(seconds * 1e6)},-;{text}\n".encode()


class Scripted(Door):
    """A device that gives and raises what it is told to, and then has nothing more for now."""

    def __init__(self, script: Sequence[bytes | OSError]) -> None:
        self.script, self.sizes, self.closed = list(script), list[int](), False
        self.more = asyncio.Event()

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        if not self.script:
            raise BlockingIOError
        given = self.script.pop(0)
        if isinstance(given, OSError):
            raise given
        return given

    async def ready(self) -> None:
        await self.more.wait()
        self.more.clear()

    def close(self) -> None:
        self.closed = True

    def give(self, *given: bytes | OSError) -> None:
        self.script += given
        self.more.set()


class Ring:
    """Opens one door after the other; one that is an error cannot be opened."""

    def __init__(self, *doors: Door | Exception) -> None:
        self.doors, self.opened_at = list(doors), list[float]()

    async def opened(self, _: Path) -> Door:
        self.opened_at.append(asyncio.get_running_loop().time())
        door = self.doors.pop(0) if len(self.doors) > 1 else self.doors[0]
        if isinstance(door, Exception):
            raise door
        return door


def log(ring: Ring, clock: Clock | None = None) -> KernelLog:
    return KernelLog(Path("/dev/kmsg"), opened=ring.opened, clock=clock or virtualtime.clock())


@contextlib.asynccontextmanager
async def followed(reading: KernelLog) -> AsyncIterator[None]:
    running = asyncio.create_task(reading.run(Random(1)))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


def taken(reading: KernelLog) -> list[int]:
    return [line.sequence for line in reading.stream(NVIDIA).take()]


@played
async def test_what_a_topic_wants_is_kept_and_all_else_is_only_counted() -> None:
    door = Scripted([raw(1), raw(2, "usb 1-1: new device"), raw(3, "nvidia-nvswitch0: x")])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (taken(reading), reading.lines, reading.losses.count) == ([1, 3], 3, 0)
    assert (reading.trouble, door.closed) == ("", True)


@played
async def test_what_another_program_wrote_is_not_believed() -> None:
    reading = log(Ring(Scripted([raw(1, priority=14), raw(2)])))

    async with followed(reading):
        await asyncio.sleep(1)

    assert taken(reading) == [2]


@played
async def test_everybody_is_believed_where_that_is_wanted() -> None:
    ring = Ring(Scripted([raw(1, priority=14)]))
    reading = KernelLog(Path("x"), opened=ring.opened, everybody=True, clock=virtualtime.clock())

    async with followed(reading):
        await asyncio.sleep(1)

    assert taken(reading) == [1]


@played
async def test_what_tells_of_the_device_of_a_record_is_no_record() -> None:
    with_device = raw(1) + b" SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0\n"
    reading = log(Ring(Scripted([with_device, b"garbage\n"])))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (taken(reading), reading.lines, reading.strange) == ([1], 1, 1)


@played
async def test_records_that_were_overwritten_are_counted() -> None:
    door = Scripted([raw(1), BrokenPipeError(errno.EPIPE, "Broken pipe"), raw(100)])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (taken(reading), reading.losses.count) == ([1, 100], 98)
    assert reading.losses.at == 0


@played
async def test_what_was_lost_before_the_first_record_is_at_least_one() -> None:
    reading = log(Ring(Scripted([BrokenPipeError(errno.EPIPE, "Broken pipe"), raw(7)])))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (taken(reading), reading.losses.count) == ([7], 1)


@played
async def test_a_record_that_does_not_fit_is_read_with_more_room() -> None:
    door = Scripted([OSError(errno.EINVAL, "Invalid argument"), raw(1)])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(1)

    assert taken(reading) == [1]
    assert door.sizes[1] == 2 * door.sizes[0]


@played
async def test_a_device_that_never_has_room_enough_is_opened_again_and_not_at_once() -> None:
    class Never(Scripted):
        def read(self, size: int) -> bytes:
            self.sizes.append(size)
            raise OSError(errno.EINVAL, "Invalid argument")

    door = Never([])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(600)

    assert max(door.sizes) <= 1 << 20
    assert len(door.sizes) < 60
    assert reading.trouble == "/dev/kmsg: Invalid argument"


@played
async def test_a_device_that_only_ever_says_that_records_were_overwritten_is_no_hot_loop() -> None:
    class Torn(Scripted):
        def read(self, size: int) -> bytes:
            self.sizes.append(size)
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    door = Torn([])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(600)

    assert len(door.sizes) < 600
    assert reading.losses.count < 60
    assert reading.trouble == "/dev/kmsg: Broken pipe"


@played
async def test_a_flood_that_overwrites_again_and_again_is_no_failure() -> None:
    torn = BrokenPipeError(errno.EPIPE, "Broken pipe")
    script = [each for n in range(1, 1001, 10) for each in (torn, torn, raw(n))]
    reading = log(Ring(Scripted(script)))

    async with followed(reading):
        await asyncio.sleep(10)

    assert (reading.lines, reading.reopens, reading.losses.count) == (100, 0, 1 + 99 * 9)


@played
async def test_after_a_failure_the_ring_is_read_again_and_nothing_told_twice() -> None:
    broken = OSError(errno.EIO, "Input/output error")
    reading = log(Ring(Scripted([raw(1), raw(2), broken]), Scripted([raw(1), raw(2), raw(3)])))

    async with followed(reading):
        await asyncio.sleep(10)

    assert (taken(reading), reading.reopens, reading.losses.count) == ([1, 2, 3], 1, 0)
    assert reading.trouble == ""


@played
async def test_what_was_overwritten_while_it_could_not_be_read_is_lost() -> None:
    broken = OSError(errno.EIO, "Input/output error")
    reading = log(Ring(Scripted([raw(1), broken]), Scripted([raw(50)])))

    async with followed(reading):
        await asyncio.sleep(10)

    assert (taken(reading), reading.losses.count) == ([1, 50], 48)


@pytest.mark.parametrize(
    ("before", "oldest", "lost"), [(10, 11, 0), (10, 3, 0), (10, 12, 1), (10, 500, 489)]
)
@played
async def test_what_was_overwritten_while_no_agent_ran_is_lost(
    before: int, oldest: int, lost: int
) -> None:
    reading = log(Ring(Scripted([raw(oldest), raw(oldest + 1)])))
    reading.resume(Position(source="kmsg", sequence=before, microseconds=0))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (reading.losses.count, reading.losses.at is not None) == (lost, lost > 0)


@played
async def test_how_far_the_log_was_read_is_known_before_anything_is_read() -> None:
    door, before = Scripted([]), Position(source="kmsg", sequence=10, microseconds=7)
    reading = log(Ring(door))
    reading.resume(before)
    known = [reading.position]

    async with followed(reading):
        door.give(raw(11, seconds=1))
        await asyncio.sleep(1)
        known.append(reading.position)

    assert known == [before, Position(source="kmsg", sequence=11, microseconds=10**6)]


class Journal(Scripted):
    """A journal, which numbers in its own way."""

    source, is_numbered = "journal", False


@played
async def test_what_was_read_in_one_source_is_not_read_in_another() -> None:
    broken = OSError(errno.EIO, "Input/output error")
    ring = Scripted([raw(1, seconds=1), raw(2, seconds=2), broken])
    journal = Journal([raw(700, seconds=1), raw(730, seconds=2), raw(790, seconds=3)])
    reading = log(Ring(ring, journal))

    async with followed(reading):
        await asyncio.sleep(10)

    lines = reading.stream(NVIDIA).take()
    assert [(line.source, line.sequence) for line in lines] == [
        ("kmsg", 1),
        ("kmsg", 2),
        ("journal", 790),
    ]
    assert reading.losses.count == 0


@pytest.mark.parametrize("door", [Scripted, Journal])
@played
async def test_an_agent_with_other_rights_counts_nothing_twice(door: type[Scripted]) -> None:
    reading = log(Ring(door([raw(5, seconds=1), raw(900, seconds=2), raw(950, seconds=3)])))
    other = "kmsg" if door is Journal else "journal"
    reading.resume(Position(source=other, sequence=3000, microseconds=2 * 10**6))

    async with followed(reading):
        await asyncio.sleep(1)

    assert (taken(reading), reading.losses.count) == ([950], 0)


@played
async def test_holes_in_a_journals_numbers_are_no_loss_though_it_is_opened_again() -> None:
    broken = OSError(errno.EIO, "Input/output error")
    reading = log(Ring(Journal([raw(5), broken]), Journal([raw(5), raw(90)])))
    reading.resume(Position(source="journal", sequence=1, microseconds=0))

    async with followed(reading):
        await asyncio.sleep(10)

    assert (taken(reading), reading.losses.count) == ([5, 90], 0)


@played
async def test_who_may_not_read_it_says_so_and_tries_ever_more_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ring = Ring(PermissionError(errno.EPERM, "Operation not permitted"))
    reading = log(ring)

    async with followed(reading):
        await asyncio.sleep(3600)

    waits = [b - a for a, b in zip(ring.opened_at, ring.opened_at[1:], strict=False)]
    assert reading.trouble == "/dev/kmsg: Operation not permitted"
    assert waits[0] <= 1
    assert 30 <= min(waits[10:]) <= max(waits) <= 60
    assert len([each for each in caplog.messages if "cannot be read" in each]) == 1


@played
async def test_a_machine_that_gives_no_thread_is_trouble_for_a_while_and_no_end() -> None:
    class Thin(Scripted):
        async def ready(self) -> None:
            raise RuntimeError("can't start new thread")

    ring = Ring(RuntimeError("can't start new thread"), Thin([raw(1)]), Scripted([raw(1), raw(2)]))
    reading = log(ring)
    await reading.once()
    troubles = [reading.trouble]

    async with followed(reading):
        await asyncio.sleep(10)

    troubles.append(reading.trouble)
    assert troubles == ["/dev/kmsg: can't start new thread", ""]
    assert taken(reading) == [1, 2]


@played
async def test_a_log_that_nobody_wants_is_not_opened() -> None:
    reading = KernelLog()

    await reading.run(Random(1))
    await reading.once()

    assert reading.trouble == "the kernel's log is not read"


@played
async def test_a_record_from_before_we_listened_has_the_time_that_it_says() -> None:
    await asyncio.sleep(1000)
    reading = log(Ring(Scripted([raw(1, seconds=400)])))

    async with followed(reading):
        await asyncio.sleep(1)

    (line,) = reading.stream(NVIDIA).take()
    assert line.at == virtualtime.START + timedelta(seconds=400)
    assert line.heard == virtualtime.START + timedelta(seconds=1000)


@played
async def test_a_record_that_comes_while_we_listen_was_written_just_now() -> None:
    door = Scripted([])
    reading = log(Ring(door))

    async with followed(reading):
        await asyncio.sleep(5000)
        door.give(raw(1, seconds=4970))  # the clock of the ring runs late
        await asyncio.sleep(1)

    (line,) = reading.stream(NVIDIA).take()
    assert line.at == line.heard == virtualtime.START + timedelta(seconds=5000)


@played
async def test_nobody_is_from_the_future() -> None:
    reading = log(Ring(Scripted([raw(1, seconds=9999)])))

    async with followed(reading):
        await asyncio.sleep(1)

    assert reading.stream(NVIDIA).take()[0].at == virtualtime.START


@played
async def test_a_flood_leaves_others_their_turn_and_loses_the_oldest_not_the_count() -> None:
    door = Scripted([raw(number) for number in range(1, 12_001)])
    reading, turns = log(Ring(door)), 0

    async with followed(reading):
        while door.script:
            turns += 1
            await asyncio.sleep(0.001)
        await asyncio.sleep(1)

    assert turns > 20
    assert (len(taken(reading)), reading.lines, reading.losses.count) == (10_000, 12_000, 2_000)


@played
async def test_the_ring_can_be_read_once() -> None:
    door = Scripted([raw(number) for number in range(1, 1001)])
    reading = log(Ring(door))

    await reading.once()

    assert (len(taken(reading)), door.closed) == (1000, True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what a program read has no event
            await asyncio.sleep(0.01)


async def lines(reading: KernelLog, count: int) -> Sequence[Line]:
    await until(lambda: reading.lines == count)
    return reading.stream(NVIDIA).take()


def append(path: Path, content: bytes) -> Awaitable[None]:
    def write() -> None:
        with path.open("ab", buffering=0) as file:
            file.write(content)

    return asyncio.to_thread(write)


async def test_a_fifo_stands_for_the_device_however_often_its_writers_come_and_go(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "kmsg")
    reading = KernelLog(tmp_path / "kmsg")

    async with followed(reading):
        await append(tmp_path / "kmsg", raw(1) + raw(2)[:9])
        first = await lines(reading, 1)
        await append(tmp_path / "kmsg", raw(2)[9:])
        second = await lines(reading, 2)

    assert [line.sequence for line in (*first, *second)] == [1, 2]
    assert reading.reopens == 0


async def test_a_fifo_that_nobody_writes_to_costs_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kmsg")
    reading = KernelLog(tmp_path / "kmsg")

    async with followed(reading):
        await append(tmp_path / "kmsg", raw(1))
        await lines(reading, 1)
        before = os.times()
        await asyncio.sleep(0.5)
        after = os.times()

    assert after.user + after.system - before.user - before.system < 0.25


async def test_a_file_is_read_to_its_end_and_on_when_it_grows(tmp_path: Path) -> None:
    (tmp_path / "kmsg").write_bytes(raw(1))
    reading = KernelLog(tmp_path / "kmsg")

    async with followed(reading):
        await until(lambda: reading.lines == 1)
        await append(tmp_path / "kmsg", raw(2))
        found = await lines(reading, 2)

    assert [line.sequence for line in found] == [1, 2]


async def test_a_path_that_comes_later_is_found(tmp_path: Path) -> None:
    reading = KernelLog(tmp_path / "kmsg")

    async with followed(reading):
        await until(lambda: bool(reading.trouble))
        missing = reading.trouble
        (tmp_path / "kmsg").write_bytes(raw(1))
        found = await lines(reading, 1)
        await until(lambda: not reading.trouble)

    assert missing.endswith("kmsg: No such file or directory")
    assert len(found) == 1
