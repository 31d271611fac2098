"""Every GPU that was there in this boot is missed when it is gone, whoever sees it."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.nvml.facts import Bus, Driver, Gpus, Hang, Standing
from agent.probes.gpus import COUNT, LOST, GPUs
from nodehealth.health import ProbeState
from tests.agent.gpus import Watch, card, machine, pci, uuid, with_card, without_driver


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUs())


def fallen(gpus: Gpus, index: int) -> Gpus:
    return replace(gpus, bus=replace(gpus.bus, fallen=(pci(index),)))


def unplugged(gpus: Gpus, index: int) -> Gpus:
    there = tuple(each for each in gpus.bus.gpus if each != pci(index))
    return replace(gpus, bus=replace(gpus.bus, gpus=there))


async def test_a_machine_on_which_all_is_well_has_all_of_its_gpus(watch: Watch) -> None:
    assert await watch.look() == {COUNT: 8, LOST: 0}
    assert watch.level(COUNT, "").fields == {"pci": 8, "expected": 8}
    assert watch.level(LOST).fields == {"pci": pci(0), "serial": "1650000000000"}


async def test_a_machine_without_gpus_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUs(), Gpus())

    assert await watch.look() == {COUNT: "notApplicable"}
    assert watch.known.reports["gpu"].state is ProbeState.OK


async def test_a_bus_that_nobody_sees_any_more_is_a_gap(watch: Watch) -> None:
    await watch.look()
    watch.gpus = replace(watch.gpus, is_blind=True)
    await watch.look()

    report = watch.known.reports["gpu"]
    assert (report.state, "could not be seen" in report.message) == (ProbeState.FAILED, True)


async def test_gpus_that_no_driver_ever_drove_are_not_missed(tmp_path: Path) -> None:
    gpus = Gpus(bus=Bus(gpus=(pci(0),)), cards=(replace(card(0), uuid="", serial="", answers={}),))
    watch = Watch.over(tmp_path, GPUs(), without_driver(gpus, Driver.ABSENT))

    assert await watch.look() == {COUNT: "notApplicable"}


async def test_gpus_that_are_expected_are_missed_even_if_there_never_was_one(
    tmp_path: Path,
) -> None:
    watch = Watch.over(tmp_path, GPUs(expected=8), Gpus())

    assert await watch.look() == {COUNT: 0}
    assert watch.level(COUNT, "").fields == {"pci": 0, "expected": 8}


async def test_a_gpu_that_nvml_lost_is_lost_and_not_counted(watch: Watch) -> None:
    await watch.look()

    lost = await watch.look(with_card(machine(), 0, standing=Standing.LOST))

    assert lost == {COUNT: 7, LOST: 1}
    assert watch.level(LOST).fields["why"] == "nvml"
    assert watch.of(uuid(1))[LOST] == 0


@pytest.mark.parametrize("driver", [d for d in Driver if d not in {"absent", "starting", "up"}])
async def test_a_lost_gpu_is_said_to_be_lost_even_while_nvml_is_away(
    watch: Watch, driver: Driver
) -> None:
    await watch.look()

    gone = await watch.look(without_driver(unplugged(machine(), 0), driver))
    by_bus = watch.level(LOST).fields["why"]
    dead = await watch.look(without_driver(fallen(machine(), 0), driver))

    assert gone == dead == {COUNT: "unknown", LOST: 1}
    assert (by_bus, watch.level(LOST).fields["why"]) == ("pci", "config")
    assert watch.of(uuid(1))[LOST] == 0


async def test_a_gpu_that_reads_ff_is_lost_before_nvml_notices(watch: Watch) -> None:
    assert (await watch.look(fallen(machine(), 0)))[LOST] == 1


async def test_a_gpu_that_answers_is_not_lost_for_what_sysfs_does_not_show(watch: Watch) -> None:
    assert (await watch.look(unplugged(machine(), 0)))[LOST] == 0


async def test_what_nvml_had_lost_is_not_found_again_by_its_silence(watch: Watch) -> None:
    lost = with_card(machine(), 0, standing=Standing.LOST)
    await watch.look(lost)

    resting = await watch.look(with_card(machine(), 0, standing=Standing.RESTING))
    hung = await watch.look(without_driver(machine(), Driver.HUNG))
    back = await watch.look(machine())

    assert (resting[LOST], hung[LOST], back[LOST]) == ("unknown", "unknown", 0)


async def test_a_gpu_that_hangs_is_there_but_is_not_counted(watch: Watch) -> None:
    hang = Hang(call="nvmlDeviceGetFieldValues", since=0, state="D")

    told = await watch.look(with_card(machine(), 0, standing=Standing.HUNG, hang=hang))

    assert told == {COUNT: 7, LOST: 0}


async def test_of_a_gpu_that_is_left_alone_nobody_knows_whether_it_counts(watch: Watch) -> None:
    told = await watch.look(with_card(machine(), 0, standing=Standing.RESTING))

    assert told == {COUNT: "unknown", LOST: 0}


async def test_gpus_are_only_counted_when_all_were_asked(watch: Watch) -> None:
    waiting = await watch.look(with_card(machine(), 0, standing=Standing.UNASKED))
    more = await watch.look(replace(machine(card(0)), count=8))

    assert waiting[COUNT] == more[COUNT] == "unknown"


async def test_a_gpu_that_nvml_does_not_let_us_speak_to_is_not_counted(watch: Watch) -> None:
    refused = {"nvmlDeviceGetHandleByPciBusId_v2": {"error": 999}}
    gpus = with_card(machine(), 0, standing=Standing.UNASKED, answers=refused)

    assert await watch.look(gpus) == {COUNT: 7, LOST: 0}


async def test_a_gpu_that_vanished_while_the_agent_was_away_is_missed(watch: Watch) -> None:
    await watch.look()
    watch.restart()
    seven = machine(*(card(index) for index in range(1, 8)))

    there = await watch.look(seven)

    assert there == {COUNT: 7, LOST: 1}
    assert watch.level(LOST).fields == {"pci": pci(0), "serial": "1650000000000", "why": "pci"}
    assert watch.level(COUNT, "").fields == {"pci": 7, "expected": 8}


async def test_a_gpu_that_nvml_does_not_list_any_more_is_lost_though_the_bus_has_it(
    watch: Watch,
) -> None:
    await watch.look()
    watch.restart()
    seven = replace(machine(*(card(index) for index in range(1, 8))), bus=machine().bus)

    assert await watch.look(seven) == {COUNT: 7, LOST: 1}
    assert watch.level(LOST).fields["why"] == "nvml"


async def test_another_boot_misses_nothing_of_the_last(watch: Watch) -> None:
    await watch.look()
    watch.restart("b2")

    seven = machine(*(card(index) for index in range(1, 8)))

    assert await watch.look(seven) == {COUNT: 7}


async def test_an_agent_that_has_not_looked_yet_misses_nothing(watch: Watch) -> None:
    await watch.look()
    watch.restart()

    assert await watch.look(Gpus()) == {COUNT: "unknown", LOST: "unknown"}
    assert (await watch.look(machine()))[COUNT] == 8


async def test_a_gpu_whose_name_is_not_read_again_yet_keeps_the_one_it_had(watch: Watch) -> None:
    await watch.look()
    watch.restart()
    nameless = [replace(card(index), uuid="", serial="") for index in range(8)]

    there = await watch.look(without_driver(machine(*nameless), Driver.STARTING))

    assert there == {COUNT: "unknown", LOST: 0}
    assert {each.subject for each in watch.known.levels["gpu"]} == {"", *map(uuid, range(8))}
    assert watch.level(LOST).fields["serial"] == "1650000000000"


async def test_a_gpu_that_never_told_its_name_is_lost_by_its_address(watch: Watch) -> None:
    nameless = without_driver(machine(replace(card(0), uuid="", serial="")), Driver.FAILED)

    well = await watch.look(nameless)
    await watch.look(fallen(nameless, 0))
    lost = watch.of(pci(0))
    found = (await watch.look(machine(card(0))), watch.of(pci(0)))

    assert (well, lost[LOST]) == ({COUNT: "unknown"}, 1)
    assert found == ({COUNT: 1, LOST: 0}, {COUNT: 1})


async def test_a_gpu_that_a_virtual_machine_was_given_is_not_missed(watch: Watch) -> None:
    await watch.look()
    (watch.tree.root / f"sys/bus/pci/devices/{pci(0)}/driver").mkdir(parents=True)
    seven = machine(*(card(index) for index in range(1, 8)))
    given = replace(seven, cards=(replace(card(0), standing=Standing.UNASKED), *seven.cards))

    away = [await watch.look(given) for _ in range(3)]
    fewer = watch.level(COUNT, "").fields["expected"]
    back = await watch.look(machine())

    assert [each[LOST] for each in away] == ["notApplicable"] * 3
    assert (fewer, back[LOST], watch.level(COUNT, "").fields["expected"]) == (7, 0, 8)
