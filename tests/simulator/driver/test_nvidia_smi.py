"""The stand-in nvidia-smi obeys the rules of the real one."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from simulator.driver.control import Driver, error
from tests.simulator.driver.clients import Client

FIELDS: Final = "nvmlDeviceGetFieldValues"
ROWS: Final = "nvmlDeviceGetRemappedRows"


def smi(driver: Driver, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(driver.folder / "nvidia-smi"), *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def said(driver: Driver, gpu: int, function: str) -> Any:  # noqa: ANN401 - JSON
    return driver.state().gpus[gpu][function]


@pytest.fixture
def holding(driver: Driver) -> Iterator[Callable[[int], int]]:
    """Return what opens a GPU in a process, whose number it gives."""
    started: list[subprocess.Popen[str]] = []

    def _hold(gpu: int) -> int:
        node = driver.root / f"dev/nvidia{gpu}"
        holder = subprocess.Popen(
            ["sh", "-c", f"exec 3<'{node}'; echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        started.append(holder)
        return holder.pid

    yield _hold
    for holder in started:
        holder.communicate()


def test_it_lists_the_gpus(driver: Driver) -> None:
    code, text = smi(driver, "-L")

    assert code == 0
    assert text.splitlines()[3] == f"GPU 3: NVIDIA H100 80GB HBM3 (UUID: {driver.uuid(3)})"


def test_it_fails_without_a_driver(driver: Driver) -> None:
    driver.unload()

    assert smi(driver, "-L")[0] == 9


def test_it_fails_to_list_a_lost_gpu(driver: Driver) -> None:
    driver.lose(0)

    assert smi(driver, "-L")[0] == 15


@pytest.mark.parametrize("name", ["3", "1650000000103", "0000:61:00.0", "00000000:61:00.0", ""])
def test_an_idle_gpu_is_reset_by_any_of_its_names(driver: Driver, name: str) -> None:
    code, _ = smi(driver, "--gpu-reset", "-i", name or driver.uuid(3))

    assert code == 0
    assert driver.state().resets == {driver.uuid(3): 1}


def test_all_gpus_are_reset_when_none_is_named(driver: Driver) -> None:
    code, _ = smi(driver, "-r")

    assert code == 0
    assert len(driver.state().resets) == 8


def test_a_gpu_that_is_not_there_is_not_reset(driver: Driver) -> None:
    assert smi(driver, "-r", "-i", "8")[0] == 2


def test_a_reset_makes_counters_begin_anew_and_does_what_was_pending(driver: Driver) -> None:
    driver.set(3, ROWS, [1, 2, 1, 0])
    driver.set(3, "nvmlDeviceGetMigMode", [0, 1])
    driver.set(3, "nvmlDeviceGetPowerUsage", error(16))
    for field, value in {"4": 7, "144": 1, "230": 1, "270": 99, "161/3": 5}.items():
        driver.field(3, field, value)
    smi(driver, "-r", "-i", "3")
    fields = said(driver, 3, FIELDS)

    assert said(driver, 3, ROWS) == [1, 2, 0, 0]
    assert said(driver, 3, "nvmlDeviceGetMigMode") == [1, 1]
    assert said(driver, 3, "nvmlDeviceGetPowerUsage") == 71002
    assert [fields[name] for name in ("4", "144", "230", "270", "161/3")] == [0] * 5


def test_a_reset_heals_no_broken_memory_and_forgets_no_history(driver: Driver) -> None:
    driver.set(3, ROWS, [1, 2, 1, 1])
    driver.set(3, "nvmlDeviceGetUnrepairableMemoryFlag_v1", 1)
    driver.field(3, 6, 7)
    driver.field(3, 145, 1)
    smi(driver, "-r", "-i", "3")
    fields = said(driver, 3, FIELDS)

    assert said(driver, 3, ROWS) == [1, 2, 0, 1]
    assert said(driver, 3, "nvmlDeviceGetUnrepairableMemoryFlag_v1") == 1
    assert (fields["6"], fields["145"]) == (7, 1)


def test_a_reset_concerns_its_gpu_alone(driver: Driver) -> None:
    driver.field(2, 4, 7)
    smi(driver, "-r", "-i", "3")

    assert said(driver, 2, FIELDS)["4"] == 7


def test_a_lost_gpu_is_not_reset(driver: Driver) -> None:
    driver.lose(3)

    assert smi(driver, "-r", "-i", "3")[0] == 15


def test_a_gpu_that_somebody_has_open_is_not_reset(
    install: Callable[[str], Driver], holding: Callable[[int], int]
) -> None:
    driver = install("l40sx4")
    pid = holding(2)
    refused, text = smi(driver, "-r", "-i", "2")
    other, _ = smi(driver, "-r", "-i", "1")

    assert refused != 0
    assert f"in use by {pid}" in text
    assert other == 0


def test_a_gpu_on_which_something_computes_is_not_reset(driver: Driver) -> None:
    driver.set(3, "nvmlDeviceGetComputeRunningProcesses_v3", [{"pid": 77, "usedGpuMemory": 1}])
    code, text = smi(driver, "-r", "-i", "3")

    assert code != 0
    assert "in use by 77" in text


def test_who_has_nvml_open_holds_every_gpu_until_it_is_closed(
    driver: Driver, client: Client
) -> None:
    refused, text = smi(driver, "-r", "-i", "3")
    client.ask("nvmlShutdown")

    assert refused != 0
    assert str(client.process.pid) in text
    assert smi(driver, "-r", "-i", "3")[0] == 0


def test_on_switches_no_gpu_is_reset_while_another_works(
    driver: Driver, holding: Callable[[int], int]
) -> None:
    pid = holding(6)
    code, text = smi(driver, "-r", "-i", "3")

    assert code != 0
    assert f"GPU 00000000:D1:00.0 is in use by {pid}" in text


def test_gpus_that_are_linked_directly_are_reset_together(install: Callable[[str], Driver]) -> None:
    driver = install("v100x4")

    assert smi(driver, "-r", "-i", "0")[0] != 0
    assert smi(driver, "-r", "-i", "0,1,2,3")[0] == 0


def test_a_reset_can_fail(driver: Driver) -> None:
    driver.resets("fail")
    code, _ = smi(driver, "-r", "-i", "3")

    assert code != 0
    assert driver.state().resets == {}


@pytest.mark.parametrize("how", ["hang", "block"])
def test_a_reset_can_hang(driver: Driver, how: str) -> None:
    if how == "hang":
        driver.resets("hang")
    else:
        driver.block(3)
    tool = subprocess.Popen([str(driver.folder / "nvidia-smi"), "-r", "-i", "3"])
    with pytest.raises(subprocess.TimeoutExpired):
        tool.wait(1.0)
    tool.kill()
    tool.wait()

    assert driver.state().resets == {}
