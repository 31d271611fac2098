"""A GPU that is not, or not wholly, part of its fabric says so, and says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.nvml.facts import Gpus
from agent.probes.gpu_fabric import FABRIC, GPUFabric
from tests.agent.gpus import Watch, card, machine

INFO = "nvmlDeviceGetGpuFabricInfoV"
COMPLETED = {"state": 3, "status": 0, "healthMask": 0x1AA, "healthSummary": 1}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with NVSwitches."""
    return Watch.over(tmp_path, GPUFabric())


def bare(said: dict[str, int]) -> Gpus:
    """Return a machine without NVSwitches of its own."""
    gpus = machine(card(0, {INFO: said}))
    return replace(gpus, bus=replace(gpus.bus, switches=()))


async def test_a_gpu_that_is_part_of_its_fabric_is_well(watch: Watch) -> None:
    assert await watch.look() == {FABRIC: 0}
    assert watch.level(FABRIC).fields == {}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"state": 1}, "not started"),
        ({"state": 2}, "in progress"),
        ({**COMPLETED, "status": 999}, "unknown error"),
        ({**COMPLETED, "healthSummary": 2}, "unhealthy"),
        (
            {**COMPLETED, "healthSummary": 3, "healthMask": 0x1A9},
            "limited capacity, degraded bandwidth",
        ),
        ({**COMPLETED, "healthMask": 0x1A6}, "route recovery"),
        ({**COMPLETED, "healthMask": 0x19A}, "route unhealthy"),
        ({**COMPLETED, "healthMask": 0x16A}, "access timeout recovery"),
        ({**COMPLETED, "healthMask": 0x5AA}, "insufficient NVLinks"),
        ({**COMPLETED, "healthMask": 0x9AA}, "configuration 9"),
    ],
)
async def test_whatever_is_wrong_is_named(watch: Watch, said: dict[str, int], why: str) -> None:
    assert await watch.look(machine(card(0, {INFO: said}))) == {FABRIC: 1}
    assert watch.level(FABRIC).fields == {"why": why}


@pytest.mark.parametrize("mask", [0, 0x0AA, 0x1AA, 0x51AA, 0xA1AA])
async def test_parts_that_do_not_apply_or_only_inform_are_no_fault(watch: Watch, mask: int) -> None:
    assert await watch.look(machine(card(0, {INFO: {**COMPLETED, "healthMask": mask}}))) == {
        FABRIC: 0
    }


@pytest.mark.parametrize("said", [{"state": 0}, {"state": 1}, {"error": 13}, {"error": 3}])
async def test_a_gpu_without_a_fabric_misses_none(watch: Watch, said: dict[str, int]) -> None:
    assert await watch.look(bare(said)) == {FABRIC: "notApplicable"}


async def test_a_gpu_that_left_a_fabric_beyond_its_machine_misses_it(watch: Watch) -> None:
    seen = [(await watch.look(bare(each)))[FABRIC] for each in (COMPLETED, {"state": 1})]

    assert seen == [0, 1]
