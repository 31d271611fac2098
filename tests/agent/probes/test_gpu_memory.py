"""What a GPU's memory suffered, and what it could repair of it."""

from pathlib import Path

import pytest

from agent.host.nvml.facts import Gpus
from agent.probes.gpu_memory import GPUMemory
from nodehealth.health import ProbeState
from nodehealth.signals import Knowledge
from tests.agent.gpus import FIELDS, H100, Watch, card, fields, machine

ABSENT = str(Knowledge.NOT_APPLICABLE)
ROWS = "nvmlDeviceGetRemappedRows"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUMemory())


async def test_memory_that_is_sound_has_no_errors(watch: Watch) -> None:
    await watch.look()
    told = await watch.look()

    assert {value for value in told.values() if value != ABSENT} == {0}
    assert {name for name, value in told.items() if value == ABSENT} == {
        "gpu.retired_pages",
        "gpu.retirement_pending",
        "gpu.memory_unrepairable",
    }
    assert watch.known.reports["gpu"].state is ProbeState.OK


async def test_a_machine_without_gpus_is_not_even_asked_for_the_time(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUMemory(), Gpus())
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").mkdir()

    assert await watch.probe.check(watch.host, {}) == []


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        (fields({"4": 3}), "gpu.ecc_uncorrected", 3),
        (fields({"6": 9}), "gpu.ecc_uncorrected_ever", 9),
        ({"nvmlDeviceGetEccMode": [0, 1]}, "gpu.ecc_off", 1),
        ({"nvmlDeviceGetEccMode": {"error": 3}}, "gpu.ecc_off", ABSENT),
        (
            {"nvmlDeviceGetSramEccErrorStatus": {"thresholdExceeded": 1}},
            "gpu.sram_threshold_exceeded",
            1,
        ),
        ({ROWS: [0, 5, 0, 0]}, "gpu.remapped_rows", 5),
        ({ROWS: [0, 5, 1, 0]}, "gpu.remap_pending", 1),
        ({ROWS: [0, 5, 0, 1]}, "gpu.remap_failed", 1),
        ({ROWS: {"error": 3}, **fields({"143": 4})}, "gpu.remapped_rows", 4),
        ({ROWS: {"error": 3}, **fields({"144": 1})}, "gpu.remap_pending", 1),
        ({ROWS: {"error": 3}, **fields({"145": 1})}, "gpu.remap_failed", 1),
        ({ROWS: {"error": 999}}, "gpu.remap_failed", "unknown"),
        ({"nvmlDeviceGetRowRemapperHistogram": {"none": 2}}, "gpu.remap_banks_exhausted", 2),
        ({"nvmlDeviceGetUnrepairableMemoryFlag_v1": 1}, "gpu.memory_unrepairable", 1),
        ({"nvmlDeviceGetUnrepairableMemoryFlag_v1": 0}, "gpu.memory_unrepairable", 0),
        ({"nvmlDeviceGetRepairStatus": [1, 0]}, "gpu.repair_pending", 1),
        ({"nvmlDeviceGetRepairStatus": [0, 1]}, "gpu.repair_pending", 1),
        ({"nvmlDeviceGetRepairStatus": [0]}, "gpu.repair_pending", "unknown"),
    ],
)
async def test_each_error_and_each_repair_is_told(
    watch: Watch, said: dict[str, object], name: str, value: float | str
) -> None:
    assert (await watch.look(machine(card(0, said))))[name] == value


async def test_corrected_errors_are_told_by_the_second(watch: Watch) -> None:
    await watch.look(machine(card(0, fields({"3": 100}))))

    told = await watch.look(machine(card(0, fields({"3": 1300}))), after=60)

    assert told["gpu.ecc_corrected"] == 20


async def test_an_older_gpu_gives_up_pages_instead_of_rows(watch: Watch) -> None:
    rows = ("142", "143", "144", "145")
    older = {
        ROWS: {"error": 3},
        FIELDS: {
            **{key: value for key, value in H100[FIELDS].items() if key not in rows},
            "29": 2,
            "30": 3,
            "31": 1,
        },
    }

    told = await watch.look(machine(card(0, older)))

    assert (told["gpu.retired_pages"], told["gpu.retirement_pending"]) == (5, 1)
    assert told["gpu.remapped_rows"] == ABSENT
