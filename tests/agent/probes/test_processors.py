"""Processors are missed when nobody sent them away, and heat counts by the time it costs."""

from pathlib import Path

import pytest

from agent.host.nvml.facts import Gpus
from agent.probes.processors import MACHINE_CHECKS, OFFLINE, THROTTLED, Processors
from tests.agent.gpus import Watch
from tests.agent.host.test_processors import CPU, INTERRUPTS


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with one package of four processors."""
    watch = Watch.over(tmp_path, Processors(), Gpus())
    watch.tree.write(f"{CPU}/online", "0-3")
    watch.tree.write(f"{CPU}/present", "0-3")
    watch.tree.write("proc/interrupts", INTERRUPTS)
    watch.tree.write(f"{CPU}/cpu0/topology/physical_package_id", 0)
    heat(watch, 0)
    return watch


def heat(watch: Watch, milliseconds: int) -> None:
    spent = f"{CPU}/cpu0/thermal_throttle/package_throttle_total_time_ms"
    watch.tree.write(spent, milliseconds)


async def offline(watch: Watch, online: str) -> float | str | None:
    watch.tree.write(f"{CPU}/online", online)
    return (await watch.look())[OFFLINE]


async def test_a_processor_that_is_not_online_is_missed_and_found_again(watch: Watch) -> None:
    assert [await offline(watch, online) for online in ("0-3", "0,2-3", "0-3")] == [0, 1, 0]


async def test_one_that_never_came_up_is_missed(watch: Watch) -> None:
    assert await offline(watch, "0-2") == 1
    assert watch.level(OFFLINE, "").fields == {"most": 4}


async def test_hyper_threading_that_somebody_turned_off_is_not_missed(watch: Watch) -> None:
    assert await offline(watch, "0-3") == 0
    watch.tree.write(f"{CPU}/smt/control", "off")

    assert [await offline(watch, online) for online in ("0-1", "0", "0-1")] == [0, 1, 0]


async def test_hyper_threading_that_comes_back_is_expected_from_then_on(watch: Watch) -> None:
    watch.tree.write(f"{CPU}/smt/control", "off")
    assert await offline(watch, "0-1") == 0
    watch.tree.write(f"{CPU}/smt/control", "on")

    assert [await offline(watch, online) for online in ("0-3", "0-2")] == [0, 1]


async def test_heat_is_the_share_of_the_time_that_it_cost(watch: Watch) -> None:
    await watch.look(after=300)
    heat(watch, 150_000)

    await watch.look(after=300)

    assert watch.level(THROTTLED, "0").value == 0.4


async def test_a_little_heat_changes_nothing(watch: Watch) -> None:
    spent = 0
    seen = []
    for share in (0.0, 0.0, 0.05, 0.19, 0.0, 0.25, 0.1):
        spent += int(share * 300_000)
        heat(watch, spent)
        await watch.look(after=300)
        seen += [each.value for each in watch.known.levels["gpu"] if each.name == THROTTLED]

    assert seen == [0.0] * 6


async def test_a_machine_check_is_an_event(watch: Watch) -> None:
    await watch.look()
    watch.tree.write("proc/interrupts", INTERRUPTS.replace("MCE:          1", "MCE:          2"))

    await watch.look()

    assert [(each.name, each.count) for each in watch.known.events] == [(MACHINE_CHECKS, 1)]


async def test_a_machine_that_tells_nothing_has_nothing_wrong(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, Processors(), Gpus())

    assert await watch.look() == {OFFLINE: "notApplicable"}
