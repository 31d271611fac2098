"""Loops keep their pace, outlive their work and slow down while it fails."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kit import loops
from simulator import virtualtime

MINUTE = timedelta(minutes=1)
DICE = Random(7)


async def starts(
    work: Callable[[], Awaitable[None]],
    *,
    jitter: float = 0.0,
    deadline: timedelta | None = None,
    lasting: timedelta = timedelta(minutes=10),
) -> list[float]:
    """Run work every minute and return when it was started."""
    seen: list[float] = []
    loop = asyncio.get_running_loop()

    def begin() -> Awaitable[None]:
        seen.append(loop.time())
        return work()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(lasting.total_seconds()):
            await loops.every(
                MINUTE, begin, name="work", random=DICE, jitter=jitter, deadline=deadline
            )
    return seen


async def nothing() -> None:
    """Take no time."""


@virtualtime.played
async def test_work_starts_at_once_and_then_at_its_interval() -> None:
    assert await starts(nothing) == [60.0 * count for count in range(10)]


@virtualtime.played
async def test_the_time_that_work_takes_is_part_of_the_interval() -> None:
    async def slow() -> None:
        await asyncio.sleep(45)

    assert await starts(slow) == [60.0 * count for count in range(10)]


@virtualtime.played
async def test_jitter_moves_each_start_a_little() -> None:
    seen = await starts(nothing, jitter=0.1)

    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert all(54 <= gap <= 66 for gap in gaps)
    assert len(set(gaps)) > 1


@virtualtime.played
async def test_work_that_fails_is_logged_and_tried_again_ever_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise LookupError("a bug")

    seen = await starts(broken, lasting=timedelta(hours=1))

    assert "work failed" in caplog.text
    assert "a bug" in caplog.text
    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert gaps[0] <= 1
    assert all(30 <= gap <= 60 for gap in gaps[8:])


@virtualtime.played
async def test_work_that_overruns_its_deadline_is_cancelled_and_tried_again() -> None:
    ended: list[str] = []

    async def hanging() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    seen = await starts(hanging, deadline=timedelta(seconds=10))

    assert len(ended) == len(seen) > 10


@virtualtime.played
async def test_after_a_success_the_next_failure_is_tried_again_soon() -> None:
    results = itertools.chain([True] * 6, [False], [True] * 99)

    async def flaky() -> None:
        if next(results):
            raise LookupError

    seen = await starts(flaky)

    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert gaps[6] == 60
    assert gaps[7] <= 1


async def played_with(
    sooner: Callable[[], Awaitable[None]],
    seconds: float,
    *,
    at_once: Callable[[], Awaitable[None]] | None = None,
) -> list[float]:
    """Return when work was done that something may hasten, at most every second but for one."""
    seen, now = list[float](), asyncio.get_running_loop().time

    async def work() -> None:
        seen.append(now())

    running = asyncio.create_task(
        loops.every(
            MINUTE,
            work,
            name="work",
            random=DICE,
            jitter=0,
            sooner=sooner,
            least=timedelta(seconds=1),
            at_once=at_once,
        )
    )
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait({running})
    return seen


@virtualtime.played
async def test_work_may_be_done_sooner_and_its_interval_runs_from_then() -> None:
    async def after_ten_seconds_once() -> None:
        await asyncio.sleep(9 if asyncio.get_running_loop().time() < 2 else 3600)

    assert await played_with(after_ten_seconds_once, 100) == [0, 10, 70]


@virtualtime.played
async def test_however_often_it_is_hastened_there_is_a_pause() -> None:
    assert await played_with(nothing, 5.5) == [0, 1, 2, 3, 4, 5]


@virtualtime.played
async def test_what_cannot_wait_is_done_without_the_pause() -> None:
    async def twice() -> None:
        await asyncio.sleep(0.25 if asyncio.get_running_loop().time() < 0.5 else 3600)

    assert await played_with(nothing, 3, at_once=twice) == [0, 0.25, 0.5, 1.5, 2.5]


@virtualtime.played
async def test_who_fails_to_say_what_cannot_wait_changes_no_pause() -> None:
    async def broken() -> None:
        raise LookupError

    assert await played_with(nothing, 2.5, at_once=broken) == [0, 1, 2]


@virtualtime.played
async def test_what_should_hasten_it_and_fails_changes_nothing() -> None:
    async def broken() -> None:
        raise LookupError

    assert await played_with(broken, 130) == [0, 60, 120]


@virtualtime.played
async def test_a_cancellation_ends_the_loop() -> None:
    running = asyncio.create_task(loops.every(MINUTE, nothing, name="work", random=DICE))
    await asyncio.sleep(100)

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()


@given(st.integers(), st.floats(0.001, 10), st.floats(10, 100))
def test_pauses_double_up_to_their_limit(seed: int, first: float, most: float) -> None:
    dice = Random(seed)
    pauses = loops.backoff(timedelta(seconds=first), timedelta(seconds=most), random=dice)

    for count, pause in enumerate(itertools.islice(pauses, 30)):
        whole = min(first * 2**count, most)
        assert whole / 2 - 1e-6 <= pause.total_seconds() <= whole + 1e-6


async def test_an_attempt_returns_what_came_of_it_or_what_it_raised() -> None:
    wrong = LookupError()

    async def good() -> int:
        return 3

    async def bad() -> int:
        raise wrong

    assert (await loops.attempted(good), await loops.attempted(bad)) == (3, wrong)
