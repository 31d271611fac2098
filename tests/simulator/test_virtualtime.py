"""The loop's clock jumps, holds still for threads, and says when nothing can go on."""

import asyncio
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest

from simulator import virtualtime

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_year_of_sleep_takes_no_time_and_is_exact() -> None:
    async def sleeper() -> datetime:
        for _ in range(365):
            await asyncio.sleep(86_400)
        return virtualtime.clock()()

    assert virtualtime.run(sleeper(), start=NOON) == NOON + timedelta(days=365)


def test_timers_fire_in_the_order_of_their_times() -> None:
    order: list[float] = []

    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    async def many() -> None:
        await asyncio.gather(*(nap(seconds) for seconds in (3, 0.1, 2, 0.1000001)))

    virtualtime.run(many())

    assert order == [0.1, 0.1000001, 2, 3]


def test_the_clock_stands_still_while_a_thread_works() -> None:
    release = threading.Event()

    async def worker() -> tuple[datetime, datetime]:
        now = virtualtime.clock()
        timer = asyncio.create_task(asyncio.sleep(3600))
        asyncio.get_running_loop().call_soon(release.set)
        before = now()
        await asyncio.to_thread(release.wait)
        timer.cancel()
        return before, now()

    before, after = virtualtime.run(worker())

    assert after == before


def test_the_clock_can_be_read_in_a_thread() -> None:
    async def worker() -> datetime:
        return await asyncio.to_thread(virtualtime.clock())

    assert virtualtime.run(worker(), start=NOON) == NOON


def test_waiting_for_what_never_comes_is_an_error_that_names_the_waiters() -> None:
    async def stuck() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("the-stuck-one")
        await asyncio.Event().wait()

    with pytest.raises(virtualtime.DeadlockError, match="the-stuck-one"):
        virtualtime.run(stuck())


def test_sockets_are_refused() -> None:
    async def listener() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
            await asyncio.get_running_loop().sock_recv(ours, 1)

    with pytest.raises(virtualtime.RealInputError, match="in real time"):
        virtualtime.run(listener())


async def test_a_real_loop_has_no_virtual_clock() -> None:
    with pytest.raises(RuntimeError, match=r"clocks\.wall"):
        virtualtime.clock()


@virtualtime.played
async def test_a_timeout_ends_a_wait_at_its_time() -> None:
    now = virtualtime.clock()
    began = now()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(90):
            await asyncio.Event().wait()

    assert now() - began == timedelta(seconds=90)
