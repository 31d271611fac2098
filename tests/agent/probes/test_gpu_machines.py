"""Machines as they were recorded, and a busy one over an hour: what is well is said to be well."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import packing
from agent.host.nvml.facts import Bus, Card, Driver, Gpus, Standing
from nodehealth.health import Level, NodeHealthStatus, ProbeState
from nodehealth.history import History
from nodehealth.signals import Knowledge
from simulator.driver import recording
from tests.agent.busy import Busy
from tests.agent.gpuprobes import Sweeps, amiss
from tests.agent.gpus import FIELDS, machine, with_card, without_driver

OF_LINKS = {161, 162, 163, 206, 207, 208, 209, 210, 211, 212, 214, 215, 219}
SWITCH = 2
RECORDINGS = {name: recording.load(name) for name in recording.shipped()}


def recorded(name: str) -> Gpus:
    """Return a recorded machine as the supervisor shows it."""
    whole = RECORDINGS[name]
    cards = tuple(
        Card(
            pci=whole.pci(index),
            uuid=each[recording.UUID],
            serial=each.get("nvmlDeviceGetSerial", ""),
            answers=asked(each),
        )
        for index, each in enumerate(whole.gpus)
    )
    remotes = [each.get("nvmlDeviceGetNvLinkRemoteDeviceType", {}) for each in whole.gpus]
    switched = any(SWITCH in each.values() for each in remotes)
    bus = Bus(
        gpus=tuple(each.pci for each in cards),
        switches=("0000:07:00.0",) if switched else (),
        nodes=len(cards),
        module=str(whole.system["nvmlSystemGetDriverVersion"]),
    )
    return Gpus(bus=bus, driver=Driver.UP, system=whole.system, count=len(cards), cards=cards)


def asked(answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recording's answers as they are when fields of links are asked link by link."""
    said = answers[FIELDS]
    links = range(said.get("91", 0))
    of_links = {
        f"{which}/{link}": said[f"{which}"]
        for which in OF_LINKS
        if f"{which}" in said
        for link in links
    }
    return {**answers, FIELDS: {**said, **of_links}}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_recorded_machine_is_well_in_everything_that_it_tells(
    tmp_path: Path, name: str
) -> None:
    gpus = recorded(name)
    sweeps = Sweeps(tmp_path, gpus)

    await sweeps.sweep()
    status = await sweeps.sweep()

    assert list(amiss(status)) == []
    assert {
        each.name: each.message for each in status.probes if each.state is not ProbeState.OK
    } == {}
    told = {each.subject for each in status.levels if each.name == "gpu.lost"}
    assert told == {each.uuid for each in gpus.cards}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_recorded_machine_may_say_anything_instead(tmp_path: Path, name: str) -> None:
    """Whatever one call says instead, no probe fails and no other GPU is worse for it."""
    gpus, chance = recorded(name), random.Random(name)
    sweeps = Sweeps(tmp_path, gpus)
    await sweeps.sweep()
    nonsense: list[object] = [None, -1, "?", [], {}, 2**70, True, {"error": 17}, {"0": "?"}]

    for function in gpus.cards[0].answers:
        said = {**gpus.cards[0].answers, function: chance.choice(nonsense)}
        status = await sweeps.sweep(with_card(gpus, 0, answers=said))
        others = [each for each in amiss(status) if each.subject not in {"", gpus.cards[0].uuid}]
        assert (function, others) == (function, [])


async def test_eight_gpus_take_little_of_what_a_report_may_hold(tmp_path: Path) -> None:
    sweeps = Sweeps(tmp_path, machine())
    await sweeps.sweep()
    status = await sweeps.sweep()

    assert len(status.levels) > 256
    assert packing.size(status) < 5 * 1024
    assert list(amiss(status)) == []


async def test_sixteen_gpus_that_are_all_lost_are_told_too(tmp_path: Path) -> None:
    sixteen = machine(count=16)
    sweeps = Sweeps(tmp_path, sixteen)
    await sweeps.sweep()

    lost = replace(
        sixteen, cards=tuple(replace(each, standing=Standing.LOST) for each in sixteen.cards)
    )
    status = await sweeps.sweep(lost)

    assert sum(each.value == 1 for each in status.levels if each.name == "gpu.lost") == 16


async def test_a_machine_without_gpus_says_two_things_and_is_well(tmp_path: Path) -> None:
    status = await Sweeps(tmp_path, Gpus()).sweep()

    assert [each.name for each in status.levels] == ["gpu.count", "gpu.driver_failed"]
    assert {each.state for each in status.probes} == {ProbeState.OK}


async def test_a_driver_that_is_rolled_out_makes_everything_unknown_and_nothing_bad(
    tmp_path: Path,
) -> None:
    sweeps = Sweeps(tmp_path, machine())
    await sweeps.sweep()
    before = await sweeps.sweep()

    for driver in (Driver.STARTING, Driver.RELEASED):
        away = await sweeps.sweep(without_driver(machine(), driver))
        assert {each.knowledge for each in amiss(away)} == {Knowledge.UNKNOWN}
    await sweeps.sweep(machine())
    after = await sweeps.sweep()

    assert list(amiss(after)) == []
    assert {each.subject for each in after.levels} == {each.subject for each in before.levels}


async def test_an_agent_without_privileges_says_what_it_cannot_see_and_blames_nobody(
    tmp_path: Path,
) -> None:
    """Its container sees the bus, but may not open NVIDIA's devices."""
    barred = Gpus(bus=machine().bus, driver=Driver.BARRED)
    sweeps = Sweeps(tmp_path, barred)
    await sweeps.sweep()
    status = await sweeps.sweep()

    assert {each.knowledge for each in amiss(status)} == {Knowledge.UNKNOWN}
    assert {each.name for each in amiss(status)} == {
        "gpu.count",
        "gpu.driver_failed",
        "gpu.driver_hung",
    }
    assert {each.message for each in status.probes} == {
        "",
        "gpu.count: the agent may not open NVIDIA's devices",
        (
            "gpu.driver_failed: the agent may not open NVIDIA's devices; "
            "gpu.driver_hung: the agent may not open NVIDIA's devices"
        ),
    }


async def test_an_agent_without_privileges_takes_over_from_one_that_had_them(
    tmp_path: Path,
) -> None:
    sweeps = Sweeps(tmp_path, machine())
    await sweeps.sweep()
    before = await sweeps.sweep()

    away = await sweeps.sweep(without_driver(replace(machine(), cards=()), Driver.BARRED))
    await sweeps.sweep(machine())
    after = await sweeps.sweep()

    assert {each.knowledge for each in amiss(away)} == {Knowledge.UNKNOWN}
    assert list(amiss(after)) == []
    assert {each.subject for each in after.levels} == {each.subject for each in before.levels}


async def test_an_hour_of_jobs_changes_next_to_nothing(tmp_path: Path) -> None:
    chance = random.Random(4)
    sweeps, hour = Sweeps(tmp_path, machine()), Busy(chance)
    await sweeps.sweep()
    before = await sweeps.sweep(hour.minute())
    changes = 0

    for _ in range(60):
        after = await sweeps.sweep(hour.minute())
        changes += differences(before, after)
        before = after

    assert hour.jobs > 20
    assert changes == 8, "what is found of each PCIe link when its GPU works first"
    assert {each.flips for each in before.levels} == {History()}
    assert before.events == ()


def differences(before: NodeHealthStatus, after: NodeHealthStatus) -> int:
    """Count the levels that an agent would have to write anew."""
    known: Mapping[tuple[str, str], Level] = {
        (each.name, each.subject): each for each in before.levels
    }
    return sum(known.get((each.name, each.subject)) != each for each in after.levels)
