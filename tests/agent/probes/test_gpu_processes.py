"""Processes that hang in the driver, and a fabric manager that is gone."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.nvml.facts import Driver, Gpus
from agent.probes.gpu_processes import FABRIC_MANAGER, STUCK, GPUProcesses
from tests.agent.gpus import Watch, machine, without_driver
from tests.agent.host.test_processes import run

ABSENT = "notApplicable"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with NVSwitches and a fabric manager."""
    watch = Watch.over(tmp_path, GPUProcesses())
    run(watch.tree, 9, "nv-fabricmanage")
    return watch


async def test_where_nothing_hangs_nothing_is_stuck(watch: Watch) -> None:
    assert await watch.look() == {STUCK: 0, FABRIC_MANAGER: 0}


async def test_a_machine_without_gpus_is_not_searched(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUProcesses(), Gpus())

    assert await watch.probe.check(watch.host, {}) == []


async def test_a_process_with_a_gpu_that_sleeps_for_minutes_is_stuck(watch: Watch) -> None:
    run(watch.tree, 77, "train", "D")
    run(watch.tree, 78, "nvidia-smi", "D")
    run(watch.tree, 79, "jbd2/sda", "D")
    (watch.tree.root / "proc/77/fd").mkdir()
    (watch.tree.root / "proc/77/fd/3").symlink_to("/dev/nvidiactl")

    seen = [(await watch.look())[STUCK] for _ in range(5)]

    assert seen == [0, 0, 0, 0, 2]
    assert watch.level(STUCK, "").fields == {"pids": "77,78"}


async def test_five_quick_looks_prove_nothing(watch: Watch) -> None:
    run(watch.tree, 78, "nvidia-smi", "D")

    assert [(await watch.look(after=10))[STUCK] for _ in range(6)] == [0] * 6


async def test_a_fabric_manager_that_ran_is_missed_while_the_driver_is_there(watch: Watch) -> None:
    await watch.look()
    run(watch.tree, 9, "sleep")

    gone = await watch.look()
    rolled_out = await watch.look(without_driver(machine(), Driver.STARTING))
    barred = await watch.look(without_driver(machine(), Driver.BARRED))
    failed = await watch.look(without_driver(machine(), Driver.FAILED))
    run(watch.tree, 9, "nv-fabricmanage")
    back = await watch.look(machine())

    seen = [each[FABRIC_MANAGER] for each in (gone, rolled_out, barred, failed, back)]
    assert seen == [1, ABSENT, ABSENT, 1, 0]


async def test_a_fabric_manager_that_never_ran_is_not_missed(watch: Watch) -> None:
    run(watch.tree, 9, "sleep")

    assert (await watch.look())[FABRIC_MANAGER] == ABSENT


async def test_without_nvswitches_nothing_is_said_of_it(watch: Watch) -> None:
    gpus = replace(machine(), bus=replace(machine().bus, switches=()))

    assert await watch.look(gpus) == {STUCK: 0}
