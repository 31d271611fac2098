"""The newest report reaches the server: soon after quiet, seldom in a storm, surely in the end."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import msgspec
import pytest

from agent import packing
from agent.publish import Publisher
from agent.report import NotOursError
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.kube.errors import (
    BlockedError,
    ForbiddenError,
    GoneError,
    OutcomeUnknownError,
    UnreachableError,
)
from simulator import virtualtime
from simulator.virtualtime import START, played

DAY = timedelta(days=1).total_seconds()
WELL = ProbeReport(name="filesystems", state=ProbeState.OK, since=START)
SILENT = ProbeReport(name="filesystems", state=ProbeState.OVERDUE, since=START)


def free(ratio: float, report: ProbeReport = WELL) -> NodeHealthStatus:
    level = Level(name="disk.free_ratio", subject="/", value=ratio, since=START)
    return NodeHealthStatus(boot_id="b", levels=(level,), probes=(report,))


class Server:
    """What the API server was told, and when; away while it has errors to give."""

    def __init__(self) -> None:
        self.told: list[tuple[float, NodeHealthStatus]] = []
        self.tries: list[float] = []
        self.errors: list[Exception] = []
        self.takes = 0.0

    async def send(self, status: NodeHealthStatus) -> None:
        """Take a report, or raise."""
        at = asyncio.get_running_loop().time()
        self.tries.append(at)
        await asyncio.sleep(self.takes)
        if self.errors:
            raise self.errors.pop(0)
        self.told.append((at, status))

    @property
    def times(self) -> list[float]:
        """Return when it was told."""
        return [round(at, 3) for at, _ in self.told]

    @property
    def ratios(self) -> list[float | None]:
        """Return what it was told of the disk."""
        return [status.levels[0].value for _, status in self.told]


Scene = Callable[[Publisher, Server], Awaitable[None]]


def play(scene: Scene, server: Server | None = None, seed: int = 1) -> Server:
    """Play a scene in virtual time and return the server."""
    told = server or Server()

    async def stage() -> None:
        publisher = Publisher(told.send, clock=virtualtime.clock(), random=Random(seed))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publisher.run())
            await scene(publisher, told)
            publisher.stop()

    virtualtime.run(stage())
    return told


def test_a_healthy_node_is_refreshed_within_every_five_minutes_and_seldom_before() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        publisher.offer(free(0.5))
        await asyncio.sleep(DAY)

    server = play(scene)

    pauses = [two - one for one, two in itertools.pairwise(server.times)]
    assert server.times[0] == 0
    assert all(240 <= pause <= 300 for pause in pauses)
    assert len(set(pauses)) > len(pauses) / 2
    assert {status.refresh_seconds for _, status in server.told} == {300}


def test_a_report_says_when_it_was_written() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        await asyncio.sleep(100)
        publisher.offer(free(0.5))
        await asyncio.sleep(1)

    ((_, status),) = play(scene).told

    assert status.reported_at == START + timedelta(seconds=100)


def test_nothing_is_written_before_something_is_known() -> None:
    async def scene(_: Publisher, __: Server) -> None:
        await asyncio.sleep(DAY)

    assert play(scene).told == []


def test_the_first_change_after_quiet_is_written_at_once() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        publisher.offer(free(0.5))
        await asyncio.sleep(100)
        publisher.offer(free(0.4))
        await asyncio.sleep(1)

    server = play(scene)

    assert server.times == [0, 100]
    assert server.ratios == [0.5, 0.4]


def test_the_same_report_again_is_no_reason_to_write() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        for _second in range(200):
            publisher.offer(free(0.5))
            await asyncio.sleep(1)

    assert play(scene).times == [0]


def test_a_storm_of_changes_is_told_by_its_newest_each_half_minute() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        for tenth in range(3000):
            publisher.offer(free(tenth / 10_000))
            await asyncio.sleep(0.1)

    server = play(scene)

    assert len(server.told) <= 5 + 300 / 30
    assert max(two - one for one, two in itertools.pairwise(server.times)) <= 30.01
    assert server.ratios[-1] == max(ratio for ratio in server.ratios if ratio is not None)


def test_an_urgent_event_is_told_at_once_in_the_middle_of_a_storm() -> None:
    xid = Event(name="gpu.xid", boot_id="b", fields={"code": 79})

    async def scene(publisher: Publisher, _: Server) -> None:
        for tenth in range(1000):
            publisher.offer(free(tenth / 10_000))
            await asyncio.sleep(0.1)
        publisher.offer(msgspec.structs.replace(free(0.9), events=(xid,)))
        await asyncio.sleep(0.5)

    at, status = play(scene).told[-1]

    assert status.events == (xid,)
    assert abs(at - 100) < 0.5


def test_a_node_that_is_not_nominal_is_refreshed_every_twenty_seconds() -> None:
    async def scene(publisher: Publisher, _: Server) -> None:
        publisher.offer(free(0.5, SILENT))
        await asyncio.sleep(600)

    server = play(scene)

    assert all(16 <= two - one <= 20 for one, two in itertools.pairwise(server.times))
    assert {status.refresh_seconds for _, status in server.told} == {20}


def test_while_the_server_is_away_only_the_newest_report_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [UnreachableError("connection refused")] * 12
        for minute in range(60):
            publisher.offer(free(minute / 100))
            await asyncio.sleep(60)

    server = play(scene)

    assert server.tries[0] == 0
    assert server.ratios[0] == pytest.approx(server.times[0] // 60 / 100)
    assert caplog.messages == [
        "the report could not be written, trying again: connection refused",
        "the report is written again",
    ]


def test_an_outage_is_one_however_it_shows(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        refused, silent = UnreachableError("connection refused"), OutcomeUnknownError("silence")
        server.errors = [refused, silent, refused, silent]
        publisher.offer(free(0.5))
        await asyncio.sleep(600)

    play(scene)

    assert caplog.messages == ["the report could not be written, trying again: connection refused"]


def test_what_is_wrong_anew_is_logged_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        for ratio in (0.5, 0.4):
            server.errors = [UnreachableError("connection refused")]
            publisher.offer(free(ratio))
            await asyncio.sleep(600)

    play(scene)

    assert len(caplog.messages) == 2


def test_after_an_outage_of_a_minute_the_newest_report_is_there_within_another() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        publisher.offer(free(0.5))
        await asyncio.sleep(10)
        server.errors = [UnreachableError("connection refused")] * 1000
        for second in range(60):
            publisher.offer(free(second / 100))
            await asyncio.sleep(1)
        server.errors.clear()
        await asyncio.sleep(60)

    server = play(scene)

    assert server.ratios[:2] == [0.5, 0.59]
    assert 70 <= server.times[1] <= 130


def test_each_kind_of_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        away, forbidden = UnreachableError("connection refused"), ForbiddenError("no rights")
        server.errors = [away, away, forbidden, forbidden, forbidden]
        publisher.offer(free(0.5))
        await asyncio.sleep(600)

    play(scene)

    assert caplog.messages == [
        "the report could not be written, trying again: connection refused",
        "the report could not be written, trying again: no rights",
    ]


def test_tries_are_ever_more_seldom_and_never_at_the_same_time_on_two_nodes() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [UnreachableError("connection refused")] * 1000
        publisher.offer(free(0.5))
        await asyncio.sleep(1200)

    one, other = play(scene, seed=1), play(scene, seed=2)

    pauses = [after - before for before, after in itertools.pairwise(one.tries)]
    assert pauses[0] <= 1.001
    assert all(29 <= pause <= 60 for pause in pauses[6:])
    assert not set(one.tries[1:]) & set(other.tries[1:])


def test_what_may_have_been_written_is_written_again() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [OutcomeUnknownError("the answer never came")]
        publisher.offer(free(0.5))
        await asyncio.sleep(10)

    assert play(scene).ratios == [0.5]


def test_an_overloaded_server_is_left_alone_as_long_as_it_says() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [BlockedError("busy", retry_after=timedelta(seconds=45))]
        publisher.offer(free(0.5))
        await asyncio.sleep(100)

    assert 45 <= play(scene).times[0] <= 67.5


def test_a_fleet_that_is_told_the_same_pause_does_not_return_as_one() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [BlockedError("busy", retry_after=timedelta(seconds=30))]
        publisher.offer(free(0.5))
        await asyncio.sleep(100)

    times = sorted(play(scene, seed=seed).times[0] for seed in range(20))

    assert times[0] >= 30
    assert times[-1] - times[0] > 8


@pytest.mark.parametrize(
    "error", [NotOursError("belongs to another"), GoneError("no such resource")]
)
def test_what_only_others_can_mend_is_waited_for(error: Exception) -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.errors = [error] * 20
        publisher.offer(free(0.5))
        await asyncio.sleep(3600)

    assert play(scene).ratios[0] == 0.5


@played
async def test_an_error_in_our_own_code_is_not_hidden() -> None:
    async def broken(_: NodeHealthStatus) -> None:
        raise TypeError("a bug")

    publisher = Publisher(broken, clock=virtualtime.clock(), random=Random(1))
    publisher.offer(free(0.5))

    with pytest.raises(TypeError, match="a bug"):
        await publisher.run()


def test_the_write_in_flight_is_finished_when_told_to_stop() -> None:
    async def scene(publisher: Publisher, server: Server) -> None:
        server.takes = 3
        publisher.offer(free(0.5))
        await asyncio.sleep(1)

    assert play(scene).ratios == [0.5]


def test_a_report_that_is_too_large_is_cut_to_fit_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    levels = tuple(
        Level(name="disk.free_ratio", subject=f"/{n}", value=n / 200, since=START)
        for n in range(200)
    )

    async def scene(publisher: Publisher, _: Server) -> None:
        for ratio in (0.5, 0.4):
            publisher.offer(
                msgspec.structs.replace(free(ratio), levels=(*levels, *free(ratio).levels))
            )
            await asyncio.sleep(60)
        publisher.offer(free(0.5))
        await asyncio.sleep(60)

    told = [status for _, status in play(scene).told]

    assert max(packing.size(status) for status in told) <= packing.LIMIT
    cut, fits = caplog.messages
    assert cut.startswith("left out of a report that is too large")
    assert fits == "the report fits again"
