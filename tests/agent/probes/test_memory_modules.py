"""Errors of memory become a fact about the node, and one about each module."""

from pathlib import Path

import pytest

from agent.host.nvml.facts import Gpus
from agent.probes.memory_modules import CORRECTED, UNCORRECTED, MemoryModules
from tests.agent.gpus import Watch
from tests.agent.host.test_edac import control, plug


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with two modules."""
    watch = Watch.over(tmp_path, MemoryModules(), Gpus())
    control(watch.tree, "mc0", 5)
    plug(watch.tree, "mc0/dimm0", 5, label="DIMM_A1")
    plug(watch.tree, "mc0/dimm1", 0, label="DIMM_B1")
    return watch


def corrected(watch: Watch) -> list[tuple[str, int, object]]:
    events = watch.known.events
    return [
        (each.subject, each.count, each.fields.get("label"))
        for each in events
        if each.name == CORRECTED
    ]


async def test_memory_without_errors_is_well(watch: Watch) -> None:
    assert await watch.look() == {UNCORRECTED: 0}
    assert corrected(watch) == []


async def test_an_error_that_was_corrected_is_an_event_of_its_module(watch: Watch) -> None:
    await watch.look()
    control(watch.tree, "mc0", 8)
    plug(watch.tree, "mc0/dimm1", 2, label="DIMM_B1")

    await watch.look()

    assert corrected(watch) == [("mc0", 1, None), ("mc0/dimm1", 2, "DIMM_B1")]


async def test_an_error_that_was_not_is_told_even_if_it_is_older_than_the_agent(
    watch: Watch,
) -> None:
    control(watch.tree, "mc0", 5, 2)
    plug(watch.tree, "mc0/dimm1", 0, 2, label="DIMM_B1")

    assert await watch.look() == {UNCORRECTED: 2}
    assert watch.level(UNCORRECTED, "").fields == {"modules": "mc0/dimm1 DIMM_B1"}


async def test_a_machine_that_has_a_new_module_has_no_errors_any_more(watch: Watch) -> None:
    seen = []
    for errors in (0, 2, 0):
        control(watch.tree, "mc0", 5, errors)
        plug(watch.tree, "mc0/dimm1", 0, errors, label="DIMM_B1")
        seen.append((await watch.look())[UNCORRECTED])

    assert seen == [0, 2, 0]


async def test_of_many_bad_modules_three_are_named(watch: Watch) -> None:
    control(watch.tree, "mc0", 5, 9)
    for n in range(9):
        plug(watch.tree, f"mc0/dimm{n}", 0, 1)

    assert await watch.look() == {UNCORRECTED: 9}
    assert watch.level(UNCORRECTED, "").fields["modules"] == "mc0/dimm0, mc0/dimm1, mc0/dimm2"


async def test_memory_that_nobody_watches_does_not_apply(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, MemoryModules(), Gpus())

    assert await watch.look() == {UNCORRECTED: "notApplicable"}
