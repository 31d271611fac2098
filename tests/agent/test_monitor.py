"""Every probe has its own time, and none is silent about what it does not know."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeAlias

import pytest

from agent import monitor as monitoring
from agent import state
from agent.host.guard import Guard, HungError
from agent.host.linux import Host
from agent.host.stream import Stream
from agent.monitor import Listener, Monitor
from agent.probe import Past, Probe
from agent.probes.filesystems import Filesystems
from agent.probes.memory import Memory
from agent.probes.mounts import Mounts
from agent.probes.writes import Writes
from agent.readings import Answer, Reading
from nodehealth.health import ProbeReport, ProbeState
from nodehealth.kit import clocks
from nodehealth.signals import Knowledge
from simulator import virtualtime
from simulator.virtualtime import played
from tests.agent.spawning import Spawner

Script: TypeAlias = Callable[[int], Awaitable[Sequence[Answer]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played(Probe):
    """A probe that does as it is told, the number of the check in hand."""

    script: Script
    asked: list[float]
    deadline: timedelta = timedelta(seconds=5)

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Play the next check."""
        del host, past
        self.asked.append(asyncio.get_running_loop().time())
        return await self.script(len(self.asked))


def probe(script: Script) -> Played:
    return Played(script=script, asked=[])


def mounted(subject: str) -> Script:
    async def script(_: int) -> Sequence[Answer]:
        return [Reading(name="disk.free_ratio", subject=subject, value=0.5)]

    return script


def late_after_the_first(subject: str) -> Script:
    async def script(count: int) -> Sequence[Answer]:
        await asyncio.sleep(0 if count == 1 else 3600)
        return await mounted(subject)(count)

    return script


def monitor(probes: Mapping[str, Probe], listener: Listener = lambda _: None) -> Monitor:
    clock = virtualtime.clock()
    begin = state.begin(None, boot_id="b", node_uid="u", probes=probes, now=clock())
    return Monitor(probes, Host(), begin=begin, clock=clock, listener=listener)


async def watched(watching: Monitor, seconds: float) -> Mapping[str, ProbeReport]:
    running = asyncio.create_task(watching.run(Random(1)))
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait({running})
    return watching.state.reports


@played
async def test_every_probe_is_asked_at_its_own_interval() -> None:
    often = Played(script=mounted("/a"), asked=[], interval=timedelta(seconds=10))
    seldom = Played(script=mounted("/b"), asked=[], interval=timedelta(minutes=5))

    await watched(monitor({"often": often, "seldom": seldom}), 3600)

    assert len(often.asked) == pytest.approx(360, rel=0.03)
    assert len(seldom.asked) == pytest.approx(12, abs=1)


@played
async def test_a_probe_that_overruns_is_overdue_and_its_levels_are_unknown() -> None:
    probes = {"slow": probe(late_after_the_first("/a")), "quick": probe(mounted("/b"))}
    watching = monitor(probes)

    reports = await watched(watching, 60)

    assert (reports["slow"].state, reports["slow"].message) == (
        ProbeState.OVERDUE,
        "no answer within 5s",
    )
    assert watching.state.levels["slow"][0].knowledge is Knowledge.UNKNOWN
    assert reports["quick"].state is ProbeState.OK
    assert watching.state.levels["quick"][0].knowledge is Knowledge.KNOWN


@played
async def test_a_probe_that_overran_is_asked_again_and_known_again() -> None:
    async def script(count: int) -> Sequence[Answer]:
        await asyncio.sleep(3600 if count == 2 else 0)
        return await mounted("/a")(count)

    watching = monitor({"disk": probe(script)})

    reports = await watched(watching, 120)

    assert reports["disk"].state is ProbeState.OK
    assert watching.state.levels["disk"][0].since == virtualtime.START


@played
async def test_a_probe_that_raises_has_failed_and_says_why() -> None:
    async def script(count: int) -> Sequence[Answer]:
        if count == 1:
            return await mounted("/a")(count)
        raise KeyError("no such sensor")

    watching = monitor({"disk": probe(script), "quick": probe(mounted("/b"))})

    reports = await watched(watching, 60)

    assert reports["disk"].state is ProbeState.FAILED
    assert reports["disk"].message == "KeyError: 'no such sensor'"
    assert watching.state.levels["disk"][0].knowledge is Knowledge.UNKNOWN
    assert reports["quick"].state is ProbeState.OK


@pytest.mark.parametrize("why", ["no such sensor", "no such sensor " * 100])
@played
async def test_a_probe_that_fails_for_hours_is_logged_once(
    caplog: pytest.LogCaptureFixture, why: str
) -> None:
    async def script(_: int) -> Sequence[Answer]:
        raise KeyError(why)

    await watched(monitor({"disk": probe(script)}), 7200)

    assert caplog.messages == [f"probe disk failed: KeyError: {why!r}"]


@played
async def test_a_host_that_hangs_makes_a_probe_overdue() -> None:
    async def script(_: int) -> Sequence[Answer]:
        raise HungError("read of /proc/self/mountinfo does not return")

    report = (await monitor({"disk": probe(script)}).sweep()).reports["disk"]

    assert report.state is ProbeState.OVERDUE
    assert report.message == "read of /proc/self/mountinfo does not return"


@played
async def test_a_probe_that_talks_nonsense_has_failed() -> None:
    async def script(_: int) -> Sequence[Answer]:
        return [Reading(name="disk.fre_ratio", value=1)]

    report = (await monitor({"disk": probe(script)}).sweep()).reports["disk"]

    assert report.state is ProbeState.FAILED
    assert report.message.startswith("ReadingError: disk.fre_ratio: unknown signal")


@played
async def test_a_check_that_gives_up_by_itself_has_failed() -> None:
    async def script(_: int) -> Sequence[Answer]:
        raise asyncio.CancelledError

    report = (await monitor({"disk": probe(script)}).sweep()).reports["disk"]

    assert report.state is ProbeState.FAILED


@played
async def test_a_check_that_will_not_end_is_never_begun_twice() -> None:
    stubborn = asyncio.Event()

    async def script(_: int) -> Sequence[Answer]:
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue
        return []

    asked = probe(script)

    reports = await watched(monitor({"disk": asked}), 600)

    assert len(asked.asked) == 1
    assert reports["disk"].state is ProbeState.OVERDUE
    stubborn.set()
    await asyncio.sleep(1)


@played
async def test_a_sweep_takes_as_long_as_its_slowest_probe() -> None:
    async def script(count: int) -> Sequence[Answer]:
        await asyncio.sleep(4)
        return await mounted(f"/{count}")(count)

    loop = asyncio.get_running_loop()

    await monitor({str(n): probe(late_after_the_first(f"/{n}")) for n in range(9)}).sweep()
    swift = loop.time()
    await monitor({"slow": probe(script)}).sweep()

    assert swift == 0
    assert loop.time() == pytest.approx(4)


@played
async def test_whoever_listens_hears_of_every_answer() -> None:
    heard: list[state.State] = []
    watching = monitor({"disk": probe(mounted("/a"))}, heard.append)

    await watching.sweep()

    assert heard == [watching.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stirring(Played):
    """A probe that is stirred whenever a test says so."""

    interval: timedelta = timedelta(minutes=5)
    news: Stream[int]
    heard: list[Sequence[int]]

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Take the news."""
        self.heard.append(self.news.take())
        # the slots of a dataclass leave no closure for a bare super()
        return await super(Stirring, self).check(host, past)

    def listens(self, host: Host) -> Sequence[Stream[int]]:
        """Listen to the news."""
        del host
        return [self.news]


def stirring(script: Script | None = None) -> Stirring:
    return Stirring(script=script or mounted("/a"), asked=[], news=Stream[int](), heard=[])


@played
async def test_a_probe_that_is_stirred_is_asked_at_once() -> None:
    probe = stirring()
    running = asyncio.create_task(monitor({"events": probe}).run(Random(1)))
    await asyncio.sleep(100)
    probe.news.put(1)
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait({running})

    assert probe.asked == [0, 100]


@played
async def test_a_probe_that_nothing_stirs_is_asked_at_its_interval() -> None:
    probe = stirring()

    await watched(monitor({"events": probe}), 3600)

    assert len(probe.asked) == pytest.approx(12, abs=1)


@played
async def test_a_storm_is_taken_in_batches_and_starves_nobody() -> None:
    probe, other = stirring(), Played(script=mounted("/b"), asked=[], interval=timedelta(seconds=1))
    running = asyncio.create_task(monitor({"events": probe, "other": other}).run(Random(1)))
    for number in range(10_000):
        probe.news.put(number)
        await asyncio.sleep(0.006)
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait({running})

    assert sum(map(len, probe.heard)) == 10_000
    assert len(probe.asked) <= 60 / monitoring.LEAST.total_seconds() + 10
    assert len(other.asked) == pytest.approx(61, abs=4)


@played
async def test_a_probe_is_asked_at_once_when_there_is_little_room_left_for_its_news() -> None:
    probe = stirring()
    running = asyncio.create_task(monitor({"events": probe}).run(Random(1)))
    await asyncio.sleep(1)
    for number in range(50_000):
        probe.news.put(number)
        if number % 512 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait({running})

    assert sum(map(len, probe.heard)) == 50_000
    assert probe.news.losses.count == 0


@played
async def test_a_probe_that_cannot_tell_when_to_be_asked_has_its_interval() -> None:
    class Mute(Stirring):
        async def stirred(self, host: Host) -> None:
            raise OSError("no such thing")

    probe = Mute(script=mounted("/a"), asked=[], news=Stream[int](), heard=[])

    await watched(monitor({"events": probe}), 3600)

    assert len(probe.asked) == pytest.approx(12, abs=1)


async def test_a_machine_without_threads_is_not_known_to_be_sick_or_well(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(
        f"1 0 8:1 / {tmp_path} rw - ext4 /dev/sda1 rw\n"
        f"2 1 0:40 / {tmp_path}/nfs rw - nfs4 server:/ rw"
    )
    for each in ("nfs", "proc"):
        (tmp_path / each).mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8 kB\nMemAvailable: 4 kB\n")
    (tmp_path / "proc/vmstat").write_text("oom_kill 0\n")
    spawner = Spawner()
    host = Host(root=tmp_path, mountinfo=tmp_path / "mountinfo", guard=Guard(spawner))
    probes = {
        "writes": Writes(directories=("/",)),
        "filesystems": Filesystems(),
        "mounts": Mounts(),
        "memory": Memory(),
    }
    begin = state.begin(None, boot_id="b", node_uid="u", probes=probes, now=virtualtime.START)
    watching = Monitor(probes, host, begin=begin, clock=clocks.wall, listener=lambda _: None)

    seen = [await known(watching)]
    spawner.refused = 1000
    seen += [await known(watching) for _ in range(2)]
    spawner.refused = 0
    seen += [await known(watching)]

    assert {name for name, levels in seen[0].items() if levels} == set(probes)
    assert seen[1:3] == [dict.fromkeys(probes, frozenset())] * 2
    assert seen[3] == seen[0]


async def known(watching: Monitor) -> Mapping[str, frozenset[str]]:
    """Ask all probes once, and return of which levels each knows something."""
    levels = (await watching.sweep()).levels
    return {
        probe: frozenset(each.name for each in said if each.knowledge is Knowledge.KNOWN)
        for probe, said in levels.items()
    }


async def broken(count: int) -> Sequence[Answer]:
    raise OSError(f"no {count}")


async def nonsense(_: int) -> Sequence[Answer]:
    return [Reading(name="no.such.signal", value=1)]


async def endless(_: int) -> Sequence[Answer]:
    await asyncio.sleep(3600)
    return []


@pytest.mark.parametrize("failure", [broken, nonsense, endless])
@played
async def test_what_a_look_took_that_failed_is_there_again_in_its_order(failure: Script) -> None:
    async def script(count: int) -> Sequence[Answer]:
        return await (failure if count == 2 else mounted("/a"))(count)

    probe = stirring(script)
    watching = monitor({"events": probe})
    for number in range(4):
        probe.news.put(number)
        await watching.ask("events")

    assert probe.heard == [(0,), (1,), (1, 2), (3,)]
    assert probe.news.losses.count == 0


@pytest.mark.parametrize("failure", [broken, nonsense, endless])
@played
async def test_what_every_look_fails_on_is_lost_and_not_in_the_way_for_ever(
    failure: Script,
) -> None:
    probe = stirring(failure)
    watching = monitor({"events": probe})
    probe.news.put(0)
    for _ in range(4):
        await watching.ask("events")

    assert probe.heard == [(0,), (0,), (0,), ()]
    assert probe.news.losses.count == 1


@played
async def test_what_a_look_gave_back_itself_is_there_once_though_it_failed() -> None:
    probe = stirring()

    async def script(count: int) -> Sequence[Answer]:
        probe.news.put_back(probe.heard[-1][1:])
        return await (broken if count == 1 else mounted("/a"))(count)

    object.__setattr__(probe, "script", script)
    watching = monitor({"events": probe})
    for number in range(3):
        probe.news.put(number)
    await watching.ask("events")
    probe.news.put(3)
    await watching.ask("events")
    await watching.ask("events")

    assert probe.heard == [(0, 1, 2), (0, 1, 2, 3), (1, 2, 3)]
