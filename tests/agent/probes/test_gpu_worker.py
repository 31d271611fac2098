"""What the NVML worker reads of a stand-in driver, as the probes understand it."""

import asyncio
from pathlib import Path

import pytest

from agent.host.nvml.facts import Standing
from nodehealth.health import NodeHealthStatus
from nodehealth.signals import Knowledge
from simulator.driver import recording
from tests.agent.gpuprobes import Sweeps, amiss
from tests.agent.host.nvml.stands import standing


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where libraries stay that were built before."""
    return tmp_path_factory.mktemp("nvml")


def values(status: NodeHealthStatus, subject: str) -> dict[str, float | None]:
    return {
        each.name: each.value
        for each in status.levels
        if each.subject == subject and each.knowledge is Knowledge.KNOWN
    }


@pytest.mark.parametrize("name", recording.shipped())
async def test_every_recorded_machine_is_well_through_the_worker(
    tmp_path: Path, cache: Path, name: str
) -> None:
    recorded = await asyncio.to_thread(recording.load, name)
    async with standing(tmp_path / "host", cache, recorded=recorded) as stand:
        await stand.until(lambda: set(stand.standings()) == {Standing.ANSWERS})
        await stand.settled()
        sweeps = Sweeps(tmp_path, stand.gpus)
        await sweeps.sweep()
        await stand.passes(60)
        status = await sweeps.sweep(stand.gpus)

    assert list(amiss(status)) == []
    assert {each.message for each in status.probes} == {""}


FIELDS = "nvmlDeviceGetFieldValues"
FAULTS = (
    ("gpu.recovery_action", 1, "field", "230", 1),
    ("gpu.ecc_uncorrected", 3, "field", "4", 3),
    ("gpu.remap_failed", 1, "set", "nvmlDeviceGetRemappedRows", [0, 0, 0, 1]),
    ("gpu.remap_pending", 1, "set", "nvmlDeviceGetRemappedRows", [0, 0, 1, 0]),
    ("gpu.nvlinks_down", 1, "set", "nvmlDeviceGetNvLinkState", {"3": 0}),
    ("gpu.fabric_unhealthy", 1, "set", "nvmlDeviceGetGpuFabricInfoV", {"healthMask": 0x1A9}),
    ("gpu.memory_thermal_margin", -5, "field", "82", 97),
    ("gpu.mig_pending", 1, "set", "nvmlDeviceGetMigMode", [0, 1]),
    ("gpu.persistence_off", 1, "set", "nvmlDeviceGetPersistenceMode", 0),
    ("gpu.ecc_off", 1, "set", "nvmlDeviceGetEccMode", [0, 0]),
    ("gpu.power_unreadable", 1, "set", "nvmlDeviceGetPowerUsage", {"error": 999}),
    (
        "gpu.sram_threshold_exceeded",
        1,
        "set",
        "nvmlDeviceGetSramEccErrorStatus",
        {"thresholdExceeded": 1},
    ),
    ("gpu.inforom_corrupt", 1, "set", "nvmlDeviceValidateInforom", {"error": 14}),
    ("gpu.remap_banks_exhausted", 2, "set", "nvmlDeviceGetRowRemapperHistogram", {"none": 2}),
)


async def test_every_fault_of_the_driver_is_told_of_its_gpu_and_of_no_other(
    tmp_path: Path, cache: Path
) -> None:
    async with standing(tmp_path / "host", cache) as stand:
        await stand.until(lambda: set(stand.standings()) == {Standing.ANSWERS})
        await stand.settled()
        sweeps = Sweeps(tmp_path, stand.gpus)
        well = await sweeps.sweep()
        sick, before = stand.card(2).uuid, stand.card(2).answers
        found = {}
        for name, value, how, what, said in FAULTS:
            old = before[FIELDS][what] if how == "field" else before[what]
            new = {**old, **said} if isinstance(said, dict) and isinstance(old, dict) else said
            await getattr(stand.driver, how)(2, what, new)
            await stand.passes(601)
            status = await sweeps.sweep(stand.gpus)
            found[name, value] = [
                (each.name, each.value) for each in amiss(status) if each.subject == sick
            ]
            assert [each.subject for each in amiss(status) if each.subject != sick] == []
            await getattr(stand.driver, how)(2, what, old)

    assert values(well, sick)
    assert found == {each: [each] for each in found}
