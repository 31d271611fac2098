"""Processes that cannot end are counted, and services that start anew are told."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.host.processes import Processes as Lister
from agent.host.processes import Sleeper
from agent.probes.processes import RESTARTS, STUCK, ZOMBIES, Processes
from agent.readings import Reading
from tests.agent.gpus import Watch
from tests.agent.host.test_processes import run

KERNEL_THREAD = 0x00208040


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with a kubelet."""
    watch = Watch.over(tmp_path, Processes(), Gpus())
    run(watch.tree, 1, "systemd")
    run(watch.tree, 900, "kubelet", at=5000)
    return watch


def restarts(watch: Watch) -> dict[str, int]:
    return {each.subject: each.count for each in watch.known.events if each.name == RESTARTS}


async def test_where_all_is_well_nothing_is_stuck_and_nothing_starts(watch: Watch) -> None:
    seen = [await watch.look() for _ in range(3)]

    assert seen == [{STUCK: 0, ZOMBIES: 0}] * 3
    assert restarts(watch) == {}


async def test_a_process_that_sleeps_for_minutes_is_stuck_and_named(watch: Watch) -> None:
    for pid, name in ((77, "dd"), (78, "dd"), (79, "cp")):
        run(watch.tree, pid, name, "D")

    seen = [(await watch.look())[STUCK] for _ in range(5)]

    assert seen == [0, 0, 0, 0, 3]
    assert watch.level(STUCK, "").fields == {"names": "cp, dd"}


async def test_threads_of_the_kernel_may_sleep_as_long_as_they_like(watch: Watch) -> None:
    run(watch.tree, 60, "jbd2/sda1-8", "D", flags=KERNEL_THREAD)

    assert [(await watch.look())[STUCK] for _ in range(6)] == [0] * 6


async def test_a_process_that_reads_all_the_time_is_not_stuck(watch: Watch) -> None:
    for worked in range(8):
        run(watch.tree, 77, "dd", "D", worked=worked)
        assert (await watch.look())[STUCK] == 0


async def test_a_few_zombies_come_and_go_unheard(watch: Watch) -> None:
    seen = []
    for count in (3, 249, 0, 374, 375, 1000, 880, 860):
        for pid in range(2000, 3200):
            (watch.tree.root / f"proc/{pid}/stat").unlink(missing_ok=True)
        for pid in range(2000, 2000 + count):
            run(watch.tree, pid, "sh", "Z")
        seen.append((await watch.look())[ZOMBIES])

    assert seen == [0, 0, 0, 0, 250, 1000, 1000, 750]


async def test_a_service_that_started_anew_is_told_once(watch: Watch) -> None:
    await watch.look()
    run(watch.tree, 950, "kubelet", at=9000)
    (watch.tree.root / "proc/900/stat").unlink()

    for _ in range(3):
        await watch.look()

    assert restarts(watch) == {"kubelet": 1}


async def test_a_service_that_was_away_for_a_look_has_started_anew_when_it_is_back(
    watch: Watch,
) -> None:
    await watch.look()
    (watch.tree.root / "proc/900/stat").unlink()
    await watch.look()
    before = restarts(watch)
    run(watch.tree, 950, "kubelet", at=9000)

    await watch.look()

    assert (before, restarts(watch)) == ({}, {"kubelet": 1})


async def test_a_restart_of_the_agent_hides_no_restart_of_a_service(watch: Watch) -> None:
    await watch.look()
    watch.restart()
    run(watch.tree, 900, "kubelet", at=9000)

    await watch.look()

    assert restarts(watch) == {"kubelet": 1}


async def test_a_boot_is_no_restart(watch: Watch) -> None:
    await watch.look()
    watch.restart("b2")
    run(watch.tree, 900, "kubelet", at=400)

    await watch.look()

    assert restarts(watch) == {}


async def test_a_program_of_a_pod_is_no_service_whatever_it_is_called(watch: Watch) -> None:
    run(watch.tree, 5000, "containerd", parent=4999)
    await watch.look()
    run(watch.tree, 5000, "containerd", parent=4999, at=9000)

    await watch.look()

    assert restarts(watch) == {}


async def test_what_two_probes_ask_for_at_once_is_looked_at_once(watch: Watch) -> None:
    run(watch.tree, 77, "dd", "D")
    watch.tree.up(100)

    first, second = await watch.host.processes(), await watch.host.processes()
    watch.tree.up(160)
    third = await watch.host.processes()

    assert [each.sleepers[0].looks for each in (first, second, third)] == [1, 1, 2]


async def test_this_machine_runs_processes() -> None:
    answers = await Processes().check(Host(), {})

    assert {each.name for each in answers if isinstance(each, Reading)} == {STUCK, ZOMBIES}


def test_a_real_process_that_nobody_asks_for_is_a_zombie() -> None:
    lister = Lister(Path("/proc"))
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert lister.look(1).zombies >= 1
    finally:
        child.wait()


def test_a_real_process_that_nothing_can_end_is_found_asleep(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = (  # whoever spawns sleeps until the child has left its memory, and this one never does
        "import os, sys\n"
        "actions = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]\n"
        "os.posix_spawn('/bin/true', ['true'], {}, file_actions=actions)\n"
    )
    sleeper = subprocess.Popen([sys.executable, "-c", script, fifo])
    try:
        lister = Lister(Path("/proc"))

        seen = asleep(lister, sleeper.pid)

        assert seen is not None
        assert not seen.is_kernel
        again = asleep(lister, sleeper.pid)
        assert again is not None
        assert again.looks > seen.looks
    finally:
        os.close(os.open(fifo, os.O_WRONLY))
        sleeper.wait()


def asleep(lister: Lister, pid: int) -> Sleeper | None:
    """Look until a process sleeps where nothing ends it, for as long as a slow machine takes."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for each in lister.look(1).sleepers:
            if each.pid == pid:
                return each
    return None
