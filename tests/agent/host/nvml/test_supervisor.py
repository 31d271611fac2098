"""A sick driver hangs its caller; what is known of the other GPUs stays fresh all the same."""

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.host.nvml.calls import CALLS, FIELDS
from agent.host.nvml.facts import Driver as Stands
from agent.host.nvml.facts import Standing
from agent.host.nvml.settings import Nvml
from simulator.driver.frozen import Frozen, FrozenError
from tests.agent.host.nvml.stands import Stand, device, is_alive, module, standing
from tests.lacking import lacking

ANSWERS, HUNG, LOST = Standing.ANSWERS, Standing.HUNG, Standing.LOST
RESTING, UNASKED = Standing.RESTING, Standing.UNASKED


@pytest.fixture
async def stand(tmp_path: Path, cache: Path) -> AsyncIterator[Stand]:
    """Four GPUs that answer."""
    async with standing(tmp_path, cache, gpus=4) as stand:
        await stand.settled()
        yield stand


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder from which a worker reads something before all else, and never comes back."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        with Frozen() as frozen:
            (folder / "json.py").write_text(f"open({str(frozen.path)!r}).read()\n")
            yield folder
    except FrozenError as missing:
        lacking(str(missing))


async def frozen(stand: Stand, gpu: int | None, function: str | None = None) -> None:
    """Let calls sleep where nothing can end them."""
    try:
        await stand.driver.block(gpu, function, uninterruptible=True)
    except FrozenError as missing:
        lacking(str(missing))


async def test_a_machine_that_is_well_says_all_that_was_recorded_of_it(stand: Stand) -> None:
    recorded = (await stand.driver.state()).gpus[2]

    known = stand.card(2).answers

    assert stand.gpus.driver is Stands.UP
    assert stand.gpus.count == 4
    asked = {call.name for call in CALLS} & set(recorded)
    assert {name: known[name] for name in asked} == {name: recorded[name] for name in asked}
    both = set(known[FIELDS]) & set(recorded[FIELDS])
    assert {name: known[FIELDS][name] for name in both} == {n: recorded[FIELDS][n] for n in both}
    assert {"230", "4", "143"} <= both


async def test_a_driver_that_we_may_not_ask_has_not_failed_and_is_asked_seldom(
    stand: Stand,
) -> None:
    await stand.unload()
    await stand.passes(10)
    await stand.driver.set(None, "nvmlInit_v2", {"error": 4})
    await stand.load()
    for _ in range(60):
        await stand.passes(15)
    barred, starts = stand.gpus.driver, stand.counts.starts
    await stand.driver.set(None, "nvmlInit_v2", None)
    await stand.passes(600)

    assert barred is Stands.BARRED
    assert starts <= 8
    assert stand.gpus.driver is Stands.UP


async def test_a_driver_that_keeps_its_devices_in_a_container_is_asked(
    tmp_path: Path, cache: Path
) -> None:
    """The worker sees them in its own /dev from then on, and nobody else does."""
    if await asyncio.to_thread(Path("/dev/nvidiactl").exists):
        pytest.skip("this machine has devices of NVIDIA's itself, and those come first")
    kept = tmp_path / "run/nvidia/driver/dev"
    async with standing(tmp_path, cache, gpus=2) as stand:
        await asyncio.to_thread(null_devices, kept)
        await stand.settled()
        seen = Path(f"/proc/{stand.pid}/task/{stand.task}/root/dev")

        assert stand.gpus.driver is Stands.UP
        assert stand.standings() == [ANSWERS, ANSWERS]
        assert await asyncio.to_thread(os.listdir, seen) == ["nvidiactl"]
        assert not await asyncio.to_thread(Path("/dev/nvidiactl").exists)


def null_devices(folder: Path) -> None:
    """Make a device that nobody minds where NVIDIA's is looked for."""
    folder.mkdir(parents=True)
    try:
        os.mknod(folder / "nvidiactl", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        lacking("devices cannot be made here: run as root, on a filesystem that allows them")


async def test_where_no_driver_is_no_worker_is_started(tmp_path: Path, cache: Path) -> None:
    async with standing(tmp_path, cache, gpus=1) as stand:
        await stand.unload()
        await stand.settled()
        await stand.passes(3600)

        assert stand.counts.starts == 0
        assert stand.gpus.driver is Stands.ABSENT
        assert stand.gpus.bus.gpus == stand.pcis


async def test_a_driver_that_is_loaded_later_is_asked(tmp_path: Path, cache: Path) -> None:
    async with standing(tmp_path, cache, gpus=1) as stand:
        await stand.unload()
        await stand.settled()
        await stand.load()

        await stand.passes(20)

        assert stand.gpus.driver is Stands.UP


async def test_a_gpu_whose_call_hangs_is_hung_by_proof_and_the_others_stay_fresh(
    stand: Stand,
) -> None:
    await frozen(stand, 1)
    stand.time.seconds += 12
    await stand.asleep(1)
    began = stand.time.seconds
    await stand.blocked(1)
    await stand.overruns(1)

    hang = stand.card(1).hang
    assert hang is not None
    assert hang.is_proven
    assert hang.call.startswith("nvmlDevice")
    assert stand.time.seconds - began <= 45 - 12
    await stand.settled()
    assert stand.standings() == [ANSWERS, HUNG, ANSWERS, ANSWERS]
    assert stand.gpus.driver is Stands.UP
    assert all(stand.card(gpu).at == stand.time.seconds for gpu in (0, 2, 3))


async def test_a_worker_that_hangs_is_not_killed_and_ends_when_its_call_returns(
    stand: Stand,
) -> None:
    await frozen(stand, 1)
    stand.time.seconds += 12
    await stand.asleep(1)
    lost = stand.pid
    await stand.overruns(1)
    await stand.passes(12)
    assert is_alive(lost)

    await stand.driver.unblock()

    await stand.until(lambda: not is_alive(lost))
    await stand.passes(12)
    assert stand.standings() == [ANSWERS] * 4
    assert stand.counts.killed == 0


async def test_a_gpu_that_hangs_is_not_asked_again_before_its_call_returned(stand: Stand) -> None:
    await frozen(stand, 1)
    stand.time.seconds += 12
    await stand.overruns(1)

    for _ in range(20):
        await stand.passes(600)

    assert stand.counts.abandoned == 1
    assert stand.card(1).standing is HUNG
    assert stand.card(0).standing is ANSWERS


async def test_when_no_call_returns_it_is_the_driver_that_hangs(stand: Stand) -> None:
    await frozen(stand, None)
    await frozen(stand, None, "nvmlInit_v2")
    stand.time.seconds += 12
    await stand.overruns(0)
    await stand.overruns(None)

    gpus = stand.gpus

    assert gpus.driver is Stands.HUNG
    assert gpus.hang is not None
    assert gpus.hang.is_proven
    assert stand.standings() == [UNASKED] * 4
    assert gpus.count is None


async def test_of_a_driver_that_hangs_two_workers_are_lost_and_no_more(stand: Stand) -> None:
    await frozen(stand, None)
    await frozen(stand, None, "nvmlInit_v2")
    stand.time.seconds += 12
    await stand.overruns(0)
    await stand.overruns(None)
    starts = stand.counts.starts

    for _ in range(50):
        await stand.passes(600)

    assert (stand.counts.abandoned, stand.counts.starts) == (2, starts)
    await stand.driver.unblock()
    await stand.until(lambda: stand.standings() == [ANSWERS] * 4)
    assert stand.gpus.driver is Stands.UP


async def test_a_driver_that_hangs_from_the_start_is_tried_again_after_ten_minutes(
    tmp_path: Path, cache: Path
) -> None:
    async with standing(tmp_path, cache, gpus=1) as stand:
        await frozen(stand, None, "nvmlInit_v2")
        await stand.overruns(None)
        assert stand.gpus.driver is Stands.HUNG
        for _ in range(19):
            await stand.passes(30)
        assert stand.counts.starts == 1

        stand.time.seconds += 31
        await stand.overruns(None)

        assert stand.counts.starts == 2
        assert stand.gpus.driver is Stands.HUNG


async def test_a_call_that_does_not_return_but_sleeps_lightly_is_no_proof(stand: Stand) -> None:
    await stand.driver.block(1)
    stand.time.seconds += 12
    await stand.blocked(1)
    pid = stand.pid
    stand.time.seconds += 30
    await stand.supervisor.turn()

    hang = stand.card(1).hang
    assert hang is not None
    assert not hang.is_proven
    stand.time.seconds += 10
    await stand.until(lambda: not is_alive(pid))
    assert stand.counts.killed == 1
    assert stand.gpus.driver is not Stands.HUNG
    await stand.driver.unblock()
    await stand.passes(60)
    assert stand.standings() == [ANSWERS] * 4


async def test_a_gpu_that_is_slow_is_asked_after_all_others(stand: Stand) -> None:
    await stand.driver.block(0)
    stand.time.seconds += 12
    await stand.blocked(0)
    stand.time.seconds += 11
    await stand.supervisor.turn()
    await stand.driver.unblock()
    await stand.settled()
    assert stand.counts.slow == 1

    await stand.driver.block(0)
    stand.time.seconds += 12
    await stand.blocked(0)

    assert all(stand.card(gpu).at == stand.time.seconds for gpu in (1, 2, 3))
    await stand.driver.unblock()


async def test_a_lost_gpu_is_lost_until_it_is_back(stand: Stand) -> None:
    await stand.driver.lose(3)
    await stand.passes(12)
    assert stand.card(3).standing is LOST
    assert stand.card(3).uuid.startswith("GPU-")

    await stand.driver.find(3)
    await stand.passes(12)

    assert stand.standings() == [ANSWERS] * 4


async def test_a_lost_gpu_is_said_to_be_lost_even_while_nvml_is_away(stand: Stand) -> None:
    await stand.driver.lose(3)
    await stand.passes(12)
    await stand.unload()

    await stand.passes(5)

    assert stand.standings() == [UNASKED, UNASKED, UNASKED, LOST]


@pytest.mark.parametrize("code", [79, 119, 120])
async def test_a_gpu_rests_after_an_xid_and_is_tried_again(stand: Stand, code: int) -> None:
    await stand.driver.xid(2, code)
    await asyncio.wait_for(stand.events.filled(), 10)
    asked_at = stand.card(2).at

    for _ in range(49):
        await stand.passes(12)
    assert stand.standings() == [ANSWERS, ANSWERS, RESTING, ANSWERS]
    assert stand.card(2).at == asked_at

    await stand.passes(13)
    assert stand.standings() == [ANSWERS] * 4


async def test_another_driver_ends_the_rest(stand: Stand) -> None:
    stand.supervisor.rest(stand.pcis[2])
    await stand.unload()
    await stand.passes(5)
    await stand.load("580.1")

    await stand.passes(5)

    assert stand.standings() == [ANSWERS] * 4


async def test_an_xid_is_told_with_the_gpu_that_had_it(stand: Stand) -> None:
    await stand.driver.xid(1, 94)
    await asyncio.wait_for(stand.events.filled(), 10)

    (event,) = stand.events.take()
    assert (event.kind, event.data, event.pci) == (8, 94, stand.pcis[1])
    assert event.uuid == stand.card(1).uuid


@pytest.mark.parametrize("kind", [0x8, 0x8000])
async def test_a_gpu_to_which_something_happened_is_asked_at_once(
    tmp_path: Path, cache: Path, kind: int
) -> None:
    async with standing(tmp_path, cache, gpus=4) as stand:
        await stand.driver.set(2, "nvmlDeviceGetSupportedEventTypes", 0x800A)
        await stand.settled()
        await stand.supervisor.changed.rung("probe")
        stand.time.seconds += 3
        await stand.driver.field(2, 230, 1)
        await stand.driver.event(2, kind, 48)

        await stand.until(lambda: stand.card(2).answers[FIELDS]["230"] == 1)

        assert stand.card(2).at == stand.time.seconds
        assert stand.card(1).at < stand.time.seconds
        await asyncio.wait_for(stand.supervisor.changed.rung("probe"), 5)


async def test_a_gpu_whose_driver_needs_a_moment_is_asked_again(stand: Stand) -> None:
    stand.supervisor.hurry(stand.pcis[2])
    await stand.passes(1)
    await stand.driver.field(2, 230, 2)

    await stand.passes(2)

    assert stand.card(2).answers[FIELDS]["230"] == 2


async def test_when_nvml_may_be_used_again_after_a_reset_no_gpu_rests_any_more(
    stand: Stand,
) -> None:
    wish = stand.root / "run/nodemend/release-nvml"
    wish.parent.mkdir(parents=True)
    wish.touch()
    at = stand.time.clock().timestamp()
    os.utime(wish, (at, at))
    stand.supervisor.rest(stand.pcis[2])
    await stand.passes(5)
    wish.unlink()

    await stand.passes(5)

    assert stand.standings() == [ANSWERS] * 4


async def test_a_worker_that_a_disk_keeps_from_starting_is_no_hang_of_the_driver(
    tmp_path: Path, cache: Path, disk: Path
) -> None:
    environ = {"PYTHONPATH": str(disk)}
    async with standing(tmp_path, cache, gpus=1, environ=environ) as stand:
        await stand.asleep(None)
        await stand.overruns(None)

        assert stand.gpus.driver is not Stands.HUNG
        assert stand.counts.abandoned == 0


async def test_after_nvml_gave_up_telling_events_they_are_told_again(stand: Stand) -> None:
    await stand.driver.set(None, "nvmlEventSetWait_v2", {"error": 15})
    await stand.until(lambda: stand.counts.event_sets_lost > 0)
    await stand.driver.set(None, "nvmlEventSetWait_v2", None)
    # the pause before there is a new set is the worker's own, in real time
    await asyncio.sleep(1.2)
    await stand.passes(12)

    await stand.driver.xid(1, 94)

    await asyncio.wait_for(stand.events.filled(), 10)


async def test_a_driver_that_goes_away_for_a_while_is_no_fault(stand: Stand) -> None:
    await stand.unload()
    await stand.passes(5)
    seen = {stand.gpus.driver}
    for _ in range(19):
        await stand.passes(30)
        seen.add(stand.gpus.driver)
    assert seen == {Stands.STARTING}

    await stand.load("580.1")
    await stand.passes(5)

    assert stand.gpus.driver is Stands.UP
    assert stand.gpus.system["nvmlSystemGetDriverVersion"] == "580.1"
    assert stand.standings() == [ANSWERS] * 4


async def test_a_driver_that_stays_away_has_failed(stand: Stand) -> None:
    await stand.unload()
    await stand.passes(5)

    await stand.passes(601)

    assert (stand.gpus.driver, stand.gpus.code) == (Stands.FAILED, 9)


async def test_a_library_of_another_version_than_the_driver_has_failed_after_a_while(
    stand: Stand,
) -> None:
    await stand.unload()
    await stand.passes(5)
    await stand.driver.load("580.1", library="570.124.06")
    module(stand.root, "580.1")
    await stand.passes(5)
    assert stand.gpus.driver is Stands.STARTING

    for _ in range(21):
        await stand.passes(30)

    assert (stand.gpus.driver, stand.gpus.code) == (Stands.FAILED, 18)


async def test_a_driver_that_is_exchanged_between_two_looks_is_opened_anew(stand: Stand) -> None:
    first = stand.pid
    await stand.driver.unload()
    await stand.load("580.1")

    await stand.passes(12)
    await stand.passes(12)

    assert stand.pid != first
    assert stand.gpus.version == "580.1"
    assert stand.standings() == [ANSWERS] * 4
    assert stand.counts.killed == 0


async def test_nvml_is_closed_while_somebody_wants_it_released(stand: Stand) -> None:
    wish = stand.root / "run/nodemend/release-nvml"
    wish.parent.mkdir(parents=True)
    wish.touch()
    at = stand.time.clock().timestamp()
    os.utime(wish, (at, at))
    pid = stand.pid
    stand.time.seconds += 5
    await stand.until(lambda: stand.gpus.driver is Stands.RELEASED)
    assert not is_alive(pid)
    assert stand.standings() == [UNASKED] * 4

    await stand.passes(580)
    assert stand.gpus.driver is Stands.RELEASED
    await stand.passes(20)

    assert stand.standings() == [ANSWERS] * 4


async def test_what_a_gpu_said_before_nvml_was_released_is_not_said_again_after_it(
    stand: Stand,
) -> None:
    await stand.driver.field(2, 230, 1)
    await stand.passes(60)
    assert stand.card(2).answers[FIELDS]["230"] == 1
    wish = stand.root / "run/nodemend/release-nvml"
    wish.parent.mkdir(parents=True)
    wish.touch()
    at = stand.time.clock().timestamp()
    os.utime(wish, (at, at))
    stand.time.seconds += 5
    await stand.until(lambda: stand.gpus.driver is Stands.RELEASED)
    await stand.driver.field(2, 230, 0)
    wish.unlink()
    said = []

    def speaks() -> bool:
        card = stand.card(2)
        if card.standing is ANSWERS:
            said.append(card.answers[FIELDS]["230"])
        return bool(said)

    stand.time.seconds += 5
    await stand.until(speaks)

    assert said == [0]


async def test_a_worker_that_dies_is_started_again_ever_more_seldom(stand: Stand) -> None:
    starts = []
    for _ in range(4):
        os.kill(stand.pid, 9)
        await stand.until(lambda: stand.supervisor.custody.is_vacant)
        began = stand.time.seconds
        while stand.supervisor.custody.is_vacant:
            stand.time.seconds += 0.5
            await stand.supervisor.turn()
        await stand.settled()
        starts.append(stand.time.seconds - began)

    assert starts == [1.0, 2.0, 4.0, 8.0]
    assert stand.standings() == [ANSWERS] * 4


async def test_what_there_is_not_is_asked_for_once_in_the_life_of_a_driver(stand: Stand) -> None:
    first = stand.card(0).answers
    missing = {name for name, answer in first.items() if answer == {"error": 3}}
    assert "nvmlDeviceGetRepairStatus" in missing
    await stand.driver.set(0, "nvmlDeviceGetRepairStatus", [0, 0])
    os.kill(stand.pid, 9)
    await stand.until(lambda: stand.supervisor.custody.is_vacant)
    await stand.passes(1)
    await stand.passes(600)
    assert stand.card(0).answers["nvmlDeviceGetRepairStatus"] == {"error": 3}

    await stand.unload()
    await stand.passes(5)
    await stand.load("580.1")
    await stand.passes(5)

    assert stand.card(0).answers["nvmlDeviceGetRepairStatus"] == [0, 0]


async def test_a_gpu_that_a_virtual_machine_has_for_itself_is_none_of_ours(stand: Stand) -> None:
    device(stand.root, stand.pcis[3], driver="vfio-pci")

    await stand.passes(15)

    assert [each.pci for each in stand.gpus.cards] == list(stand.pcis[:3])


async def test_where_only_nvml_shows_a_driver_it_is_asked_and_its_absence_is_no_fault_at_first(
    tmp_path: Path, cache: Path
) -> None:
    hidden = Nvml(libraries=("/usr/lib64",))
    async with standing(tmp_path, cache, gpus=2, settings=hidden) as stand:
        shutil.rmtree(stand.root / "sys")
        await stand.settled()
        assert stand.standings() == [ANSWERS] * 2

        await stand.driver.unload()
        await stand.passes(12)
        assert stand.gpus.driver is Stands.STARTING
        await stand.passes(601)
        await stand.passes(1)
        assert (stand.gpus.driver, stand.gpus.code) == (Stands.FAILED, 9)

        await stand.driver.load()
        await stand.passes(60)
        assert stand.standings() == [ANSWERS] * 2


async def test_a_driver_that_answers_only_at_first_is_opened_ever_more_seldom(stand: Stand) -> None:
    await stand.driver.set(None, "nvmlDeviceGetCount_v2", {"error": 999})
    starts = stand.counts.starts

    for _ in range(600):
        await stand.passes(1)

    assert stand.counts.starts - starts < 20
