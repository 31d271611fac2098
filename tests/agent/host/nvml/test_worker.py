"""The process that alone loads NVML: it does what it is asked, names what takes long, and ends."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.host.nvml import calls
from agent.host.nvml.process import Line, Starter, Worker
from simulator.driver import recording
from simulator.driver.build import LIBRARY, BuildError
from simulator.driver.control import Driver
from tests.agent.host.nvml.stands import PATIENCE, Changes
from tests.lacking import lacking

ALL = {"tiers": calls.TIERS, "links": 18, "uuid": "", "timed": True}


class Talk:
    """A worker, and all that it says."""

    def __init__(self, driver: Changes, pci: str) -> None:
        self.driver, self.pci = driver, pci
        self.said: asyncio.Queue[Line] = asyncio.Queue()
        self.worker: Worker
        self._asked = 0

    def hush(self) -> None:
        """Hear that it says no more."""
        self.said.put_nowait({"silent": True})

    async def ask(self, what: str, **more: object) -> Line:
        """Ask, and return what it says in the end."""
        self.send(what, **more)
        return await self.hears("end")

    def send(self, what: str, **more: object) -> None:
        """Ask, and wait for nothing."""
        self._asked += 1
        self.worker.ask({"id": self._asked, "do": what, **more})

    async def gpu(self, **more: object) -> Line:
        """Ask the first GPU."""
        return await self.ask("gpu", pci=self.pci, **{**ALL, **more})

    async def hears(self, word: str) -> Line:
        """Return the next line with a word in it."""
        async with asyncio.timeout(PATIENCE):
            while word not in (line := await self.said.get()):
                pass
        return line

    async def gone(self) -> None:
        """Wait until it has ended."""
        async with asyncio.timeout(PATIENCE):
            while not self.worker.is_gone:  # noqa: ASYNC110 - nothing tells of its end but its end
                await asyncio.sleep(0.005)


@pytest.fixture
async def talk(tmp_path: Path, cache: Path) -> AsyncIterator[Talk]:
    """A worker that has opened NVML."""
    recorded = await asyncio.to_thread(recording.load, "h100x8")
    driver = Driver(tmp_path / "driver")
    try:
        await asyncio.to_thread(driver.install, recorded, cache=cache)
    except BuildError as missing:
        lacking(str(missing))
    starter = Starter(environ={**os.environ, **driver.environ()})
    talk = Talk(Changes(driver), recorded.pci(0))
    process = await starter.start(str(driver.folder / LIBRARY))
    talk.worker = Worker(process, talk.said.put_nowait, talk.hush)
    assert (await talk.ask("init", unsupported={}, devices=""))["system"]
    yield talk
    await asyncio.to_thread(driver.close)
    talk.worker.end()
    await talk.gone()
    talk.worker.abandon()
    starter.close()


def test_nothing_that_is_called_changes_a_gpu() -> None:
    ways = [name for call in calls.CALLS for name, _ in call.ways]

    assert ways
    assert not [name for name in ways if any(verb in name for verb in ("Set", "Reset", "Clear"))]


def test_no_answer_has_two_calls() -> None:
    names = [call.name for call in calls.CALLS]

    assert len(names) == len(set(names))


async def test_a_batch_is_marked_before_and_after(talk: Talk) -> None:
    talk.send("count")

    begun, ended = await talk.hears("begin"), await talk.hears("end")

    assert begun["begin"] == ended["end"]
    assert ended["count"] == 8


async def test_all_fields_of_a_gpu_are_one_call(talk: Talk) -> None:
    said = await talk.gpu()

    assert said["said"][calls.FIELDS]["230"] == 0
    assert said["said"][calls.FIELDS]["163/17"] == 0
    assert list(said["took"]).count(calls.FIELDS) == 1


async def test_what_there_is_not_is_called_once(talk: Talk) -> None:
    first = await talk.gpu()
    missing = {name for name, answer in first["said"].items() if answer == {"error": 3}}
    second = await talk.gpu()

    assert missing
    assert missing <= set(first["took"])
    assert not missing & (set(second["took"]) | set(second["said"]))
    assert set(second["said"][calls.FIELDS]) < set(first["said"][calls.FIELDS])
    assert "unsupported" not in second


@pytest.mark.parametrize("code", [3, 4, 13, 25, 26])
async def test_every_way_to_say_that_there_is_no_such_thing_is_understood(
    talk: Talk, code: int
) -> None:
    await talk.driver.set(0, "nvmlDeviceGetPowerUsage", {"error": code})

    first, second = await talk.gpu(), await talk.gpu()

    assert first["said"]["nvmlDeviceGetPowerUsage"] == {"error": code}
    assert "nvmlDeviceGetPowerUsage" not in second["took"]


async def test_what_fails_otherwise_is_asked_again(talk: Talk) -> None:
    await talk.driver.set(0, "nvmlDeviceGetPowerUsage", {"error": 999})
    first = await talk.gpu()
    await talk.driver.set(0, "nvmlDeviceGetPowerUsage", 1000)
    second = await talk.gpu()

    answers = [each["said"]["nvmlDeviceGetPowerUsage"] for each in (first, second)]
    assert answers == [{"error": 999}, 1000]


async def test_an_older_driver_is_asked_in_its_own_way(talk: Talk) -> None:
    await talk.driver.set(0, "nvmlDeviceGetTemperatureV", {"error": 13})
    await talk.driver.set(0, "nvmlDeviceGetTemperature", 41)

    said = await talk.gpu()

    assert said["said"]["nvmlDeviceGetTemperatureV"] == 41
    assert "nvmlDeviceGetTemperatureV" in said["unsupported"]


async def test_turning_mig_on_makes_it_ask_again_for_what_there_was_not(talk: Talk) -> None:
    await talk.driver.set(0, "nvmlDeviceGetNvLinkState", {"error": 3})
    await talk.driver.set(0, "nvmlDeviceGetMigMode", [1, 1])
    await talk.gpu()
    await talk.driver.set(0, "nvmlDeviceGetMigMode", [0, 0])
    await talk.driver.set(0, "nvmlDeviceGetNvLinkState", {"0": 1})
    await talk.gpu()

    said = await talk.gpu()

    assert said["said"]["nvmlDeviceGetNvLinkState"] == {"0": 1}


async def test_a_lost_gpu_is_asked_no_further(talk: Talk) -> None:
    await talk.gpu()
    await talk.driver.lose(0)

    said = await talk.gpu()

    assert said.get("code") == 15 or list(said["said"].values()) == [{"error": 15}]


async def test_a_call_that_takes_long_is_named(talk: Talk) -> None:
    await talk.driver.block(0, "nvmlDeviceGetPowerUsage")
    talk.send("gpu", pci=talk.pci, **ALL)

    said = await talk.hears("within")

    assert said["call"] == "nvmlDeviceGetPowerUsage"
    assert said["seconds"] > 1


async def test_sigterm_lets_the_call_under_way_return(talk: Talk) -> None:
    await talk.driver.block(0, "nvmlDeviceGetPowerUsage")
    talk.send("gpu", pci=talk.pci, **ALL)
    await talk.hears("within")

    os.kill(talk.worker.pid, signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert not talk.worker.is_gone
    await talk.driver.unblock()

    said = await talk.hears("end")
    assert "nvmlDeviceGetPowerUsage" in said["said"]
    assert "nvmlDeviceGetMigMode" not in said["said"]
    await talk.gone()


async def test_it_ends_when_nobody_asks_any_more(talk: Talk) -> None:
    talk.worker.abandon()

    await talk.gone()


async def test_ctrl_c_is_for_the_agent(talk: Talk) -> None:
    os.kill(talk.worker.pid, signal.SIGINT)

    assert (await talk.ask("count"))["count"] == 8


async def test_an_xid_is_told_within_milliseconds(talk: Talk) -> None:
    await talk.gpu()
    await talk.driver.xid(0, 48)

    said: Mapping[str, Any] = await talk.hears("event")

    assert (said["event"], said["data"], said["pci"]) == (8, 48, talk.pci)


async def test_a_storm_of_xids_loses_none(talk: Talk) -> None:
    await talk.gpu()
    await talk.driver.xid(0, 31, times=2000)

    for _ in range(2000):
        await talk.hears("event")

    assert talk.said.empty()


async def test_without_a_library_nvml_is_not_found(tmp_path: Path) -> None:
    starter, said = Starter(), asyncio.Queue[Line]()
    process = await starter.start(str(tmp_path / LIBRARY))
    worker = Worker(process, said.put_nowait, lambda: None)
    worker.ask({"id": 1, "do": "init", "unsupported": {}, "devices": ""})

    async with asyncio.timeout(PATIENCE):
        while "end" not in (line := await said.get()):
            pass

    assert line["code"] == 12
    worker.end()
    await asyncio.to_thread(process.wait)
    worker.abandon()
    starter.close()
