"""A GPU that was reset is told so once, however it comes out."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.nvml import resets
from agent.host.nvml.facts import Driver, Gpus
from agent.probes.gpu_resets import RESET, GPUResets
from tests.agent.gpus import Watch, card, fields, machine, uuid, without_driver

WANTS = machine(card(0, fields({"230": 1})), card(1))
WELL = machine(count=2)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with two GPUs."""
    return Watch.over(tmp_path, GPUResets(), WELL)


def told(watch: Watch) -> dict[str, int]:
    return {each.subject: each.count for each in watch.known.events if each.name == RESET}


async def noted(watch: Watch, gpu: str, *, later: float = 0) -> None:
    """Let somebody have reset a GPU some seconds from now."""
    await asyncio.to_thread(resets.note, watch.tree.root, [gpu])
    file = watch.tree.root / resets.RESETS / gpu
    at = (await asyncio.to_thread(file.stat)).st_mtime + later
    await asyncio.to_thread(os.utime, file, (at, at))


def gone(gpus: Gpus) -> Gpus:
    away = without_driver(gpus, Driver.STARTING)
    return replace(away, bus=replace(away.bus, module=""))


async def test_gpus_that_nobody_resets_are_not_reset(watch: Watch) -> None:
    for each in (WELL, WELL, without_driver(WELL, Driver.RELEASED), WELL):
        await watch.look(each)

    assert told(watch) == {}


async def test_a_note_of_a_reset_is_told_once_and_again_when_it_is_renewed(watch: Watch) -> None:
    await noted(watch, uuid(0))
    seen = []
    for _ in range(2):
        await watch.look()
        seen.append(told(watch))
    watch.restart()
    await watch.look()
    seen.append(told(watch))
    await noted(watch, uuid(0), later=10)
    await watch.look()

    assert seen == [{uuid(0): 1}] * 3
    assert told(watch) == {uuid(0): 2}


async def test_a_note_of_a_gpu_that_is_not_there_is_nobodys(watch: Watch) -> None:
    await noted(watch, "GPU-of-another-machine")
    await watch.look()

    assert told(watch) == {}


async def test_when_it_was_is_when_it_was_noted(watch: Watch) -> None:
    await noted(watch, uuid(0))
    await watch.look()

    at = (await asyncio.to_thread(resets.noted, watch.tree.root))[uuid(0)]
    last = watch.known.events[0].history.last[0]
    assert abs(last - at) < timedelta(seconds=1)


async def test_a_reset_that_the_driver_wanted_and_wants_no_more_was_done(watch: Watch) -> None:
    await watch.look(WANTS)
    await watch.look(without_driver(WANTS, Driver.RELEASED))
    watch.restart()
    await watch.look(without_driver(WANTS, Driver.STARTING))
    before = told(watch)
    await watch.look(WELL)
    await watch.look(WELL)

    assert (before, told(watch)) == ({}, {uuid(0): 1})


async def test_a_driver_that_was_loaded_anew_has_reset_all_of_them(watch: Watch) -> None:
    await watch.look(WELL)
    for each in (gone(WELL), without_driver(WELL, Driver.STARTING), WELL, WELL):
        await watch.look(each)

    assert told(watch) == {uuid(0): 1, uuid(1): 1}


async def test_a_machine_without_gpus_has_nothing_to_reset(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUResets(), Gpus())

    assert await watch.answers() == []
