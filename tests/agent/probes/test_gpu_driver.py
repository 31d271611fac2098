"""A driver that hangs, fails or is only being rolled out, each told from the others."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.nvml.facts import Bus, Driver, Gpus, Hang, Standing
from agent.probes.gpu_driver import DRIVER_FAILED, DRIVER_HUNG, HUNG, GPUDriver
from nodehealth.health import ProbeState
from tests.agent.gpus import Watch, machine, pci, uuid, with_card, without_driver

ASLEEP = Hang(call="nvmlInitWithFlags", since=1, state="D", wchan="os_acquire_rwlock_write")
AWAKE = Hang(call="nvmlInitWithFlags", since=1, state="R")
WELL = {DRIVER_FAILED: 0, DRIVER_HUNG: 0, HUNG: 0}
ABSENT = "notApplicable"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """An agent on a machine with eight GPUs."""
    return Watch.over(tmp_path, GPUDriver())


async def test_a_driver_that_answers_is_well(watch: Watch) -> None:
    assert await watch.look() == WELL


async def test_a_machine_without_gpus_has_no_driver_to_fail(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUDriver(), Gpus())

    assert await watch.look() == {DRIVER_FAILED: ABSENT}
    assert watch.known.reports["gpu"].state is ProbeState.OK


async def test_a_driver_that_never_was_there_is_not_missed(tmp_path: Path) -> None:
    watch = Watch.over(tmp_path, GPUDriver(), Gpus(bus=Bus(gpus=(pci(0),))))

    assert await watch.look() == {DRIVER_FAILED: ABSENT, DRIVER_HUNG: ABSENT}


async def test_a_driver_that_sleeps_in_the_kernel_hangs(watch: Watch) -> None:
    await watch.look()

    told = await watch.look(without_driver(machine(), Driver.HUNG, hang=ASLEEP))

    assert told == {DRIVER_FAILED: "unknown", DRIVER_HUNG: 1, HUNG: "unknown"}
    assert watch.level(DRIVER_HUNG, "").fields == {
        "call": "nvmlInitWithFlags",
        "wchan": "os_acquire_rwlock_write",
    }


async def test_a_call_that_is_only_late_proves_nothing(watch: Watch) -> None:
    await watch.look()

    told = await watch.look(without_driver(machine(), Driver.HUNG, hang=AWAKE))

    assert told[DRIVER_HUNG] == "unknown"


async def test_one_gpu_may_hang_while_others_answer(watch: Watch) -> None:
    gpus = with_card(machine(), 0, standing=Standing.HUNG, hang=ASLEEP)

    assert await watch.look(gpus) == {**WELL, HUNG: 1}
    assert watch.of(uuid(1)) == WELL
    assert watch.level(HUNG).fields["call"] == "nvmlInitWithFlags"


@pytest.mark.parametrize(
    ("standing", "hung"), [(Standing.RESTING, 0), (Standing.LOST, 0), (Standing.UNASKED, "unknown")]
)
async def test_a_gpu_that_is_not_asked_does_not_hang(
    watch: Watch, standing: Standing, hung: float | str
) -> None:
    await watch.look()

    assert (await watch.look(with_card(machine(), 0, standing=standing)))[HUNG] == hung


async def test_a_driver_that_cannot_be_used_says_why(watch: Watch) -> None:
    told = await watch.look(without_driver(machine(), Driver.FAILED, code=18))

    assert told == {DRIVER_FAILED: 1, DRIVER_HUNG: 0, HUNG: "unknown"}
    assert watch.level(DRIVER_FAILED, "").fields == {
        "code": 18,
        "error": "versions of NVML and kernel module differ",
    }


async def test_a_driver_that_is_rolled_out_or_lent_has_not_failed(watch: Watch) -> None:
    await watch.look()

    starting = await watch.look(without_driver(machine(), Driver.STARTING))
    released = await watch.look(without_driver(machine(), Driver.RELEASED))
    back = await watch.look(machine())

    assert starting == {DRIVER_FAILED: ABSENT, DRIVER_HUNG: "unknown", HUNG: "unknown"}
    assert released == dict.fromkeys(WELL, "unknown")
    assert back == WELL


async def test_a_driver_that_went_while_the_agent_was_away_is_missed(watch: Watch) -> None:
    await watch.look()
    watch.restart()

    unseen = await watch.look(Gpus())
    gone = await watch.look(replace(Gpus(), bus=machine().bus))

    assert unseen[DRIVER_FAILED] == "unknown"
    assert gone[DRIVER_FAILED] == 1
    assert watch.level(DRIVER_FAILED, "").fields == {"code": 9, "error": "driver not loaded"}
