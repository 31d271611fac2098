"""Who may not leave is asked ever less often, and all together only so often."""

import asyncio
from datetime import timedelta
from random import Random

from remediator.pacing import LONGEST, Pacing
from simulator import virtualtime
from tests.builders import NOON

FIRST = timedelta(seconds=10)


class Watch:
    """A pacing at times that the test says."""

    def __init__(self) -> None:
        self.now = NOON
        self.pacing = Pacing(lambda: self.now)

    def pause(self, *, asked: timedelta | None = None) -> timedelta:
        """Refuse the pod once more, and return how long it is then left alone."""
        self.pacing.block("p", "its budget is spent", first=FIRST, asked=asked)
        begun = self.now
        while self.pacing.held("p"):
            self.now += timedelta(seconds=1)
        return self.now - begun


def test_a_pod_that_nobody_refused_may_be_asked() -> None:
    assert Watch().pacing.held("p") == ""


def test_each_refusal_doubles_the_pause_up_to_the_longest() -> None:
    watch = Watch()

    pauses = [watch.pause() for _ in range(5)]

    assert pauses == [FIRST, 2 * FIRST, 4 * FIRST, LONGEST, LONGEST]


def test_the_server_may_ask_for_a_longer_pause_and_not_for_a_shorter_one() -> None:
    asked = timedelta(minutes=3)

    assert Watch().pause(asked=asked) == asked
    assert Watch().pause(asked=timedelta(seconds=1)) == FIRST


def test_meanwhile_the_reason_is_known() -> None:
    watch = Watch()
    watch.pacing.block("p", "its budget is spent", first=FIRST, asked=None)

    assert watch.pacing.held("p") == "its budget is spent"
    assert watch.pacing.held("q") == ""


def test_a_pod_that_was_let_go_or_is_long_gone_is_forgotten() -> None:
    watch = Watch()
    watch.pause()
    watch.pacing.free("p")
    freed = watch.pause()
    watch.now += timedelta(minutes=11)
    watch.pacing.block("q", "", first=FIRST, asked=None)

    assert freed == FIRST
    assert watch.pause() == FIRST


def test_pauses_differ_by_a_fifth_at_most_so_that_not_all_come_back_at_once() -> None:
    pacing, pauses = Pacing(lambda: NOON, Random(1)), set[timedelta]()

    for uid in map(str, range(50)):
        pacing.block(uid, "", first=FIRST, asked=None)
        pauses.add(pacing.left(uid))

    assert len(pauses) > 40
    assert 0.8 * FIRST <= min(pauses) < 0.85 * FIRST
    assert 1.15 * FIRST < max(pauses) <= 1.2 * FIRST


def test_who_was_never_refused_or_waited_long_enough_may_be_asked_at_once() -> None:
    watch = Watch()
    watch.pause()

    assert watch.pacing.left("p") == timedelta()
    assert watch.pacing.left("q") == timedelta()


@virtualtime.played
async def test_requests_of_all_drains_are_spread_over_time() -> None:
    pacing, loop = Pacing(virtualtime.clock()), asyncio.get_running_loop()
    begun = loop.time()

    await asyncio.gather(*(pacing.turn(20) for _ in range(41)))

    assert round(loop.time() - begun, 3) == 2.0
