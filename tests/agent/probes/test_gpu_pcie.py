"""How wide, how fast and how clean the PCIe links of GPUs are."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.nvml.facts import Gpus
from agent.probes.gpu_pcie import LANES, REPLAYS, SLOW, GPUPCIe
from tests.agent.gpus import FIELDS, Watch, card, fields, machine, pci

GENERATION = "nvmlDeviceGetCurrPcieLinkGeneration"
UTILIZATION, STATE = "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPerformanceState"
WORKING = {UTILIZATION: {"gpu": 90, "memory": 10}, STATE: 0}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUPCIe())


def wide(present: int, possible: int = 16) -> Gpus:
    gpus = machine(card(0))
    return replace(gpus, bus=replace(gpus.bus, lanes={pci(0): (present, possible)}))


async def test_a_link_that_is_well_is_as_wide_as_it_can_be(watch: Watch) -> None:
    await watch.look()

    assert await watch.look() == {LANES: 16, SLOW: "notApplicable", REPLAYS: 0}
    assert watch.level(LANES).fields == {"expected": 16}


async def test_a_link_that_came_up_narrow_is_held_against_what_both_ends_are_made_for(
    watch: Watch,
) -> None:
    assert (await watch.look(wide(8)))[LANES] == 8
    assert watch.level(LANES).fields == {"expected": 16}


async def test_a_link_that_grows_narrow_is_held_against_what_it_was(watch: Watch) -> None:
    await watch.look(wide(16, 16))

    assert (await watch.look(wide(4, 4)))[LANES] == 4
    assert watch.level(LANES).fields == {"expected": 16}


async def test_a_narrow_slot_is_no_fault(watch: Watch) -> None:
    assert (await watch.look(wide(8, 8)))[LANES] == 8
    assert watch.level(LANES).fields == {"expected": 8}


async def test_an_operator_may_say_how_wide_it_is_to_be(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUPCIe(lanes=16))
    await watch.look(wide(8, 8))

    assert watch.level(LANES).fields == {"expected": 16}


@pytest.mark.parametrize("asleep", [0, 63, 255])
async def test_a_width_that_no_link_has_is_asked_of_the_driver(watch: Watch, asleep: int) -> None:
    assert (await watch.look(wide(asleep)))[LANES] == 16


async def test_a_link_is_slow_only_while_its_gpu_works_and_then_until_it_works_again(
    watch: Watch,
) -> None:
    resting = machine(card(0, {GENERATION: 1}))
    slow = machine(card(0, {GENERATION: 3, **WORKING}))
    fast = machine(card(0, WORKING))

    seen = []
    for each in (resting, fast, resting, slow, resting, fast, resting):
        seen.append((await watch.look(each))[SLOW])
        if each is slow:
            assert watch.level(SLOW).fields == {"generation": "3", "expected": "5"}

    assert seen == ["notApplicable", 0, 0, 1, 1, 0, 0]


async def test_a_gpu_that_rests_in_p0_or_works_in_p8_is_not_judged(watch: Watch) -> None:
    p0 = machine(card(0, {GENERATION: 1, STATE: 0}))
    p8 = machine(card(0, {GENERATION: 1, **WORKING, STATE: 8}))

    assert [(await watch.look(each))[SLOW] for each in (p0, p8)] == ["notApplicable"] * 2


@pytest.mark.parametrize("told_by", ["94", "nvmlDeviceGetPcieReplayCounter"])
async def test_replays_are_told_by_the_second(watch: Watch, told_by: str) -> None:
    def after(count: int) -> Gpus:
        if told_by == "94":
            return machine(card(0, fields({"94": count})))
        return machine(card(0, {FIELDS: {}, told_by: count}))

    await watch.look(after(5))

    assert (await watch.look(after(65)))[REPLAYS] == 1
