"""What runs out is seen before it has, and what only goes up and down is not."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.probes.limits import CPU_PRESSURE, FILES, INOTIFY, IO_PRESSURE, THREADS, Limits
from tests.agent.gpus import Watch

ABSENT = "notApplicable"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with much left of everything."""
    watch = watching(tmp_path, lambda: "")
    watch.tree.write("proc/sys/kernel/pid_max", 1000)
    watch.tree.write("proc/sys/fs/file-nr", "25\t0\t100")
    threads(watch, 30)
    pressed(watch, cpu=1.0, io=1.0)
    return watch


def watching(root: Path, watches: Callable[[], str]) -> Watch:
    watch = Watch.over(root, Limits(), Gpus())
    watch.host = Host(root=root, uptime=root / "proc/uptime", watches=watches)
    return watch


def threads(watch: Watch, count: int) -> None:
    watch.tree.write("proc/loadavg", f"0.10 0.20 0.30 2/{count} 4711")


def pressed(watch: Watch, *, cpu: float, io: float) -> None:
    for what, whose, share in (("cpu", "some", cpu), ("io", "full", io)):
        line = f"{whose} avg10=0.00 avg60=0.00 avg300={share:.2f} total=1"
        watch.tree.write(f"proc/pressure/{what}", line)


async def test_a_machine_with_enough_of_everything_is_well(watch: Watch) -> None:
    assert await watch.look() == {
        THREADS: 0.5,
        FILES: 0.5,
        CPU_PRESSURE: 0,
        IO_PRESSURE: 0,
        INOTIFY: 0,
    }


async def test_threads_that_run_out_are_seen(watch: Watch) -> None:
    seen = []
    for count in (499, 600, 850, 930, 980, 100):
        threads(watch, count)
        seen.append((await watch.look())[THREADS])

    assert seen == [0.5, 0.4, 0.15, 0.05, 0.0, 0.5]


async def test_files_that_run_out_are_seen_until_there_are_enough(watch: Watch) -> None:
    seen = []
    for used in (25, 97, 25):
        watch.tree.write("proc/sys/fs/file-nr", f"{used}\t0\t100")
        seen.append((await watch.look())[FILES])

    assert seen == [0.5, 0, 0.5]


async def test_a_node_at_work_is_under_no_pressure_until_nearly_all_of_the_time_is_lost(
    watch: Watch,
) -> None:
    seen = []
    for share in (10, 60, 74, 5, 70, 76, 99, 40, 26, 24, 60):
        pressed(watch, cpu=share, io=share)
        now = await watch.look()
        seen.append((now[CPU_PRESSURE], now[IO_PRESSURE]))

    assert seen == [(half, half) for half in (0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0)]


async def test_watches_that_ran_out_are_told_by_their_kind(tmp_path: Path) -> None:
    watch = watching(tmp_path, lambda: "watches")

    assert (await watch.look())[INOTIFY] == 1
    assert watch.level(INOTIFY, "").fields == {"what": "watches"}


async def test_a_question_that_is_forbidden_is_no_fault_and_hides_nothing(tmp_path: Path) -> None:
    def forbidden() -> str:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    watch = watching(tmp_path, forbidden)
    threads(watch, 30)
    watch.tree.write("proc/sys/kernel/pid_max", 1000)

    seen = await watch.look()

    assert (seen[INOTIFY], seen[THREADS]) == ("unknown", 0.5)


async def test_a_kernel_that_says_less_is_not_taken_for_one_that_says_ill(tmp_path: Path) -> None:
    watch = watching(tmp_path, lambda: "")

    assert await watch.look() == {
        THREADS: ABSENT,
        FILES: ABSENT,
        CPU_PRESSURE: ABSENT,
        IO_PRESSURE: ABSENT,
        INOTIFY: 0,
    }


async def test_nobody_asks_for_a_watch_who_was_told_not_to(watch: Watch) -> None:
    watch.probe = Limits(inotify=False)

    assert INOTIFY not in await watch.look()
