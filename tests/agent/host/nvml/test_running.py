"""In real time: the supervisor runs by itself, hears at once what happens, and ends in order."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent import main
from agent.host.nvml.counts import Counts
from agent.host.nvml.facts import Driver, NvmlEvent, Standing
from agent.host.nvml.process import Process, Starter
from agent.host.nvml.settings import Nvml
from agent.host.nvml.supervisor import Supervisor
from agent.host.stream import Stream
from agent.settings import Settings
from nodehealth.kit import clocks
from tests.agent.host.nvml.stands import PATIENCE, Stand, is_alive, standing

LONG = timedelta(seconds=PATIENCE)


@pytest.fixture
async def stand(tmp_path: Path, cache: Path) -> AsyncIterator[Stand]:
    """A machine that nobody looks at but the agent."""
    async with standing(tmp_path, cache, gpus=2) as stand:
        yield stand


@pytest.fixture
async def nvml(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    """The agent's own supervisor."""
    for name, value in (await stand.driver.environ()).items():
        monkeypatch.setenv(name, value)
    nvml = main.watch(Settings(root=stand.root, nvml=Nvml()), clock=clocks.wall)
    assert nvml is not None
    yield nvml
    await nvml.close()


async def test_one_sample_asks_every_gpu_everything(nvml: Supervisor) -> None:
    await nvml.sample(LONG)

    gpus = nvml.gpus()
    assert gpus.driver is Driver.UP
    assert [each.standing for each in gpus.cards] == [Standing.ANSWERS] * 2
    assert all("nvmlDeviceValidateInforom" in each.answers for each in gpus.cards)


async def test_a_sample_of_a_machine_without_a_driver_takes_no_time(
    stand: Stand, nvml: Supervisor
) -> None:
    await stand.unload()
    async with asyncio.timeout(PATIENCE / 2):
        await nvml.sample(LONG)

    assert nvml.gpus().driver is Driver.ABSENT
    assert nvml.counts.starts == 0


async def test_a_sample_of_a_machine_whose_driver_refuses_does_not_wait_for_it(
    stand: Stand, nvml: Supervisor
) -> None:
    await stand.driver.unload()
    async with asyncio.timeout(PATIENCE / 2):
        await nvml.sample(LONG)

    assert nvml.gpus().driver is Driver.STARTING


async def test_it_hears_what_happens_and_ends_with_its_worker(
    stand: Stand, nvml: Supervisor
) -> None:
    running = asyncio.create_task(nvml.run(), name="nvml")
    async with asyncio.timeout(PATIENCE):
        while not any(each.answers for each in nvml.gpus().cards):  # noqa: ASYNC110 - what a probe does, too
            await asyncio.sleep(0.01)
        await stand.driver.xid(0, 94)
        await nvml.events.filled()
    (event,) = nvml.events.take()
    task = nvml.custody.task
    assert event.data == 94
    assert task is not None

    running.cancel()
    await asyncio.wait({running})

    assert not is_alive(task[0])


async def test_a_worker_whose_call_does_not_return_is_killed_in_the_end(
    stand: Stand, nvml: Supervisor
) -> None:
    await nvml.sample(LONG)
    task = nvml.custody.task
    assert task is not None
    await stand.driver.block(0)
    nvml.custody.ask("gpu", pci=stand.pcis[0], uuid="", tiers=["vitals"], links=0)

    async with asyncio.timeout(PATIENCE):
        await nvml.close()

    assert not is_alive(task[0])


async def test_whoever_waits_for_it_hears_when_a_gpu_stands_otherwise(
    stand: Stand, nvml: Supervisor
) -> None:
    await nvml.sample(LONG)
    waiting = [asyncio.create_task(nvml.changed.rung(who)) for who in ("a", "b")]
    await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
    waiting = [asyncio.create_task(nvml.changed.rung(who)) for who in ("a", "b")]
    await nvml.turn()
    assert not any(each.done() for each in waiting)

    nvml.rest(stand.pcis[0])
    await nvml.turn()

    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)


class Broken(Starter):
    """Starts nothing, in a way that nobody foresees."""

    def __init__(self) -> None:
        super().__init__()
        self.tries, self.tried = 0, asyncio.Event()

    def start(self, library: str) -> asyncio.Future[Process]:
        """Break."""
        self.tries += 1
        self.tried.set()
        raise LookupError(library)


async def test_a_turn_that_fails_is_not_taken_again_at_once(stand: Stand) -> None:
    broken = Broken()
    nvml = Supervisor(
        Nvml(),
        root=stand.root,
        starter=broken,
        now=asyncio.get_running_loop().time,
        clock=clocks.wall,
        events=Stream[NvmlEvent](),
        counts=Counts(),
    )
    running = asyncio.create_task(nvml.run())
    async with asyncio.timeout(PATIENCE):
        await broken.tried.wait()
    await asyncio.sleep(0.3)

    running.cancel()
    await asyncio.wait([running])
    assert broken.tries == 1
