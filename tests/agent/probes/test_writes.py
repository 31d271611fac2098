"""A disk that takes nothing, gives back something else or never answers is told as that."""

import errno
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import state
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.host.writing import CorruptError, NotTriedError
from agent.probe import Past
from agent.probes.writes import FAILED, HUNG, SECONDS, Writes
from agent.readings import Reading
from agent.state import State
from nodehealth.health import Level
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOCAL = "1 0 8:1 / / {mode} - ext4 /dev/sda1 rw"
MEMORY = "2 1 0:40 / /run rw - tmpfs tmpfs rw"
WRITTEN: Past = {(FAILED, "/"): Level(name=FAILED, subject="/", value=0.0, since=NOON)}


def raising(error: Exception) -> Callable[[str], float]:
    def write(_: str) -> float:
        raise error

    return write


def failing(code: int) -> Callable[[str], float]:
    return raising(OSError(code, "it failed"))


class Disk:
    """A machine with one disk, whose writes a test decides."""

    def __init__(self, folder: Path, *, mode: str = "rw") -> None:
        self.mounts = folder / "mountinfo"
        self.mounts.write_text("\n".join([LOCAL.format(mode=mode), MEMORY]))
        self.write: Callable[[str], float] = lambda _: 0.01
        self.written: list[str] = []

    def host(self) -> Host:
        return Host(mountinfo=self.mounts, write=self._write)

    def _write(self, directory: str) -> float:
        self.written.append(directory)
        return self.write(directory)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """A disk that does as it is told."""
    return Disk(tmp_path)


async def told(
    disk: Disk, write: Callable[[str], float], *, past: Past = WRITTEN, probe: Writes | None = None
) -> Sequence[Reading]:
    disk.write = write
    return await (probe or Writes()).check(disk.host(), past)


def spoken(readings: Sequence[Reading]) -> dict[str, float | str | None]:
    return {
        each.name: each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge)
        for each in readings
    }


async def test_a_disk_that_works_is_well_and_says_how_swift(disk: Disk) -> None:
    readings = await told(disk, lambda _: 0.25, past={})

    assert spoken(readings) == {FAILED: 0, HUNG: 0, SECONDS: 0.25}
    assert {each.subject for each in readings} == {"/"}
    assert disk.written == ["/var/lib/nodemend"]


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (failing(errno.EIO), "EIO"),
        (failing(errno.EROFS), "EROFS"),
        (failing(errno.EUCLEAN), "EUCLEAN"),
        (raising(CorruptError("changed")), "corrupt"),
    ],
)
async def test_a_disk_that_fails_is_bad_and_says_how(
    disk: Disk, write: Callable[[str], float], error: str
) -> None:
    readings = await told(disk, write)

    assert spoken(readings) == {FAILED: 1, HUNG: 0, SECONDS: "notApplicable"}
    assert readings[0].fields == {"error": error}


async def test_a_disk_that_was_never_written_to_may_be_meant_to_be_read_only(disk: Disk) -> None:
    assert await told(disk, failing(errno.EROFS), past={}) == []


async def test_a_disk_without_room_is_unknown(disk: Disk) -> None:
    readings = await told(disk, raising(NotTriedError("No space left on device")))

    assert set(spoken(readings).values()) == {"unknown"}
    assert readings[0].why == "No space left on device"


async def test_a_filesystem_is_written_to_in_the_first_place_where_that_can_be_tried(
    disk: Disk,
) -> None:
    def write(directory: str) -> float:
        if directory == "/var/lib/nodemend":
            raise NotTriedError("No such file or directory")
        return 0.01

    readings = await told(disk, write, past={})

    assert spoken(readings)[FAILED] == 0
    assert disk.written == ["/var/lib/nodemend", "/var/lib/kubelet"]


async def test_where_it_never_could_be_tried_nobody_waits_for_it(disk: Disk) -> None:
    assert await told(disk, raising(NotTriedError("Permission denied")), past={}) == []


async def test_a_place_that_is_named_is_waited_for(disk: Disk) -> None:
    reason = NotTriedError("No such file or directory")

    readings = await told(disk, raising(reason), past={}, probe=Writes(directories=("/srv/x",)))

    assert set(spoken(readings).values()) == {"unknown"}


async def test_a_root_that_may_only_be_read_is_left_alone(tmp_path: Path) -> None:
    disk = Disk(tmp_path, mode="ro")

    assert await told(disk, lambda _: 0.01, past={}) == []
    assert disk.written == []


@pytest.mark.parametrize(("directories", "written"), [((), []), (("/run/x",), ["/run/x"])])
async def test_memory_is_written_to_only_where_it_is_named(
    tmp_path: Path, directories: tuple[str, ...], written: list[str]
) -> None:
    disk = Disk(tmp_path)
    disk.mounts.write_text("1 0 0:40 / / rw - tmpfs tmpfs rw")

    await told(disk, lambda _: 0.01, probe=Writes(directories=directories))

    assert disk.written == written


async def test_a_write_that_hangs_is_bad_and_what_it_would_have_said_is_unknown(
    disk: Disk,
) -> None:
    hung = HungError("write to / does not return", lasted=timedelta(seconds=10))

    readings = await told(disk, raising(hung))

    assert spoken(readings) == {HUNG: 1, FAILED: "unknown", SECONDS: "unknown"}


@pytest.mark.parametrize(
    ("seconds", "spoken_of"),
    [(59, ""), (61, " for more than 1m"), (900, " for more than 10m"), (9e5, " for more than 1d")],
)
async def test_how_long_it_hangs_is_said_in_words_that_seldom_change(
    disk: Disk, seconds: float, spoken_of: str
) -> None:
    hung = HungError("write to / does not return", lasted=timedelta(seconds=seconds))

    readings = await told(disk, raising(hung))

    assert {each.why for each in readings[1:]} == {f"write to / does not return{spoken_of}"}


async def test_a_hang_lasts_since_it_was_seen_and_is_over_when_the_write_returns(
    disk: Disk,
) -> None:
    known = state.begin(None, boot_id="b", node_uid="u", probes=["writes"], now=NOON)

    async def look(minute: int, write: Callable[[str], float]) -> tuple[State, Level]:
        readings = await told(disk, write, past=state.past(known, "writes"))
        after = state.answered(known, "writes", readings, NOON + timedelta(minutes=minute))
        return after, state.past(after, "writes")[HUNG, "/"]

    known, _ = await look(0, lambda _: 0.01)
    known, _ = await look(1, raising(HungError("hangs")))
    known, hung = await look(2, raising(HungError("hangs")))
    known, over = await look(3, lambda _: 0.01)

    assert (hung.value, hung.since) == (1, NOON + timedelta(minutes=1))
    assert (over.value, over.since) == (0, NOON + timedelta(minutes=3))


async def test_a_disk_that_took_the_place_of_one_that_hangs_is_well(disk: Disk) -> None:
    let_go = threading.Event()

    def write(_: str) -> float:
        if len(disk.written) == 1:
            let_go.wait()
        return 0.01

    disk.write, host, probe = write, disk.host(), Writes(patience=timedelta(seconds=0.05))
    dead = await probe.check(host, WRITTEN)
    disk.mounts.write_text(disk.mounts.read_text().replace(" 8:1 ", " 8:17 "))
    well = await probe.check(host, WRITTEN)
    let_go.set()

    assert (spoken(dead)[HUNG], spoken(well)[HUNG]) == (1, 0)


async def test_a_real_directory_is_really_written_to(tmp_path: Path) -> None:
    readings = await Writes(directories=(str(tmp_path),)).check(Host(), {})

    assert {each.name: each.knowledge for each in readings} == dict.fromkeys(
        (FAILED, HUNG, SECONDS), Knowledge.KNOWN
    )


async def test_a_host_that_is_mounted_elsewhere_is_written_to_there(tmp_path: Path) -> None:
    (tmp_path / "var/lib/nodemend").mkdir(parents=True)
    (tmp_path / "mountinfo").write_text(f"1 0 8:1 / {tmp_path} rw - ext4 /dev/sda1 rw")
    seen: list[str] = []

    def write(path: str) -> float:
        seen.append(path)
        return 0.01

    host = Host(root=tmp_path, mountinfo=tmp_path / "mountinfo", write=write)

    readings = await Writes().check(host, {})

    assert seen == [f"{tmp_path}/var/lib/nodemend"]
    assert {each.subject for each in readings} == {"/"}
