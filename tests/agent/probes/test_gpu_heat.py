"""How much of the time heat or a lack of power slows GPUs down, and how near they are to that."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.probes.gpu_heat import HARDWARE, MARGIN, MEMORY_MARGIN, POWER, SOFTWARE, GPUHeat
from tests.agent.gpus import FIELDS, H100, Watch, card, fields, machine

SECOND = 10**9
REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
TEMPERATURE, MARGIN_CALL = "nvmlDeviceGetTemperatureV", "nvmlDeviceGetMarginTemperature"
THRESHOLDS = "nvmlDeviceGetTemperatureThreshold"
UNCOUNTED = {key: value for key, value in H100[FIELDS].items() if int(key) not in {269, 270, 271}}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUHeat())


async def test_a_cool_gpu_has_all_the_margin_that_is_told(watch: Watch) -> None:
    await watch.look()

    assert await watch.look() == {
        HARDWARE: 0,
        SOFTWARE: 0,
        MARGIN: 10,
        MEMORY_MARGIN: 10,
        POWER: 0,
    }


@pytest.mark.parametrize(
    ("thermal", "brake", "bits", "reason"),
    [
        (45, 0, 0, "thermal"),
        (0, 45, 0, "power-brake"),
        (30, 15, 0x48, "thermal"),
        (15, 30, 0x88, "power-brake"),
        (15, 30, 0xC8, "both"),
        (15, 30, 0, ""),
    ],
)
async def test_slowed_down_is_a_share_of_the_time(
    watch: Watch, thermal: int, brake: int, bits: int, reason: str
) -> None:
    after = fields({"270": thermal * SECOND, "271": brake * SECOND})
    await watch.look()

    told = await watch.look(machine(card(0, {**after, REASONS: bits})), after=60)

    assert told[HARDWARE] == 0.6
    assert watch.level(HARDWARE).fields == {"reason": reason}


async def test_the_share_is_of_the_time_between_the_answers_not_between_the_looks(
    watch: Watch,
) -> None:
    """The first answer is 20 s old when it is looked at, the second one fresh: 80 s lie between."""
    loop = asyncio.get_running_loop()
    old = machine(replace(card(0), at=loop.time() - 20))
    slowed = card(0, fields({"269": 40 * SECOND}))
    await watch.look(old)

    told = await watch.look(machine(replace(slowed, at=loop.time())), after=60)

    assert told[SOFTWARE] == 0.4


@pytest.mark.parametrize(
    ("bits", "hardware", "reason", "software"),
    [
        (0x1, 0, "", 0),
        (0x4, 0, "", 0),
        (0x20, 0, "", 1),
        (0x8, 1, "hardware", 0),
        (0x48, 1, "thermal", 0),
        (0x80, 1, "power-brake", 0),
    ],
)
async def test_where_the_driver_does_not_count_it_says_what_is_so_at_the_moment(
    watch: Watch, bits: int, hardware: float, reason: str, software: float
) -> None:
    told = await watch.look(machine(card(0, {FIELDS: UNCOUNTED, REASONS: bits})))

    assert (told[HARDWARE], told[SOFTWARE]) == (hardware, software)
    assert watch.level(HARDWARE).fields == {"reason": reason}


@pytest.mark.parametrize(
    ("said", "margin"),
    [
        ({TEMPERATURE: 82, MARGIN_CALL: {"error": 3}}, 5),
        ({TEMPERATURE: 95, MARGIN_CALL: {"error": 3}}, -10),
        ({TEMPERATURE: {"error": 3}, MARGIN_CALL: 4}, 5),
        ({THRESHOLDS: {"error": 3}, MARGIN_CALL: -3}, -5),
        ({THRESHOLDS: {"error": 3}, MARGIN_CALL: {"error": 13}}, "notApplicable"),
        ({TEMPERATURE: 40, MARGIN_CALL: 0}, 10),
        ({TEMPERATURE: 88, MARGIN_CALL: 0}, 0),
        ({TEMPERATURE: {"error": 999}, MARGIN_CALL: {"error": 3}}, "unknown"),
    ],
)
async def test_the_margin_is_what_the_card_itself_says(
    watch: Watch, said: dict[str, object], margin: float | str
) -> None:
    assert (await watch.look(machine(card(0, said))))[MARGIN] == margin


async def test_the_margin_of_the_memory_is_told_likewise(watch: Watch) -> None:
    hot = await watch.look(machine(card(0, fields({"82": 97}))))
    mute = await watch.look(machine(card(0, {FIELDS: {}})))

    assert (hot[MEMORY_MARGIN], mute[MEMORY_MARGIN]) == (-5, "notApplicable")


async def test_power_that_is_not_told_any_more_is_told(watch: Watch) -> None:
    never = machine(card(0, {"nvmlDeviceGetPowerUsage": {"error": 3}}))
    fails = machine(card(0, {"nvmlDeviceGetPowerUsage": {"error": 999}}))

    seen = [(await watch.look(each))[POWER] for each in (never, machine(), fails, machine())]

    assert seen == ["notApplicable", 0, 1, 0]
