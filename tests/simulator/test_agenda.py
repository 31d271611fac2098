"""The world acts in order of time, once for each thing that needs a look."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from simulator import virtualtime
from simulator.agenda import Agenda, Dirty
from simulator.crew import crew
from simulator.virtualtime import played


@played
async def test_work_is_done_in_the_order_of_its_time_and_then_of_asking() -> None:
    agenda, done = Agenda(), list[str]()
    for name, seconds in (("late", 5), ("early", 1), ("also early", 1), ("now", 0)):
        agenda.after(timedelta(seconds=seconds), partial(done.append, name))

    async with crew() as spawn:
        spawn(agenda.run())
        await asyncio.sleep(10)

    assert done == ["now", "early", "also early", "late"]


@played
async def test_work_that_is_asked_for_while_it_rests_is_done_at_its_time() -> None:
    agenda, now = Agenda(), virtualtime.clock()
    began, done = now(), list[timedelta]()

    async with crew() as spawn:
        spawn(agenda.run())
        agenda.after(timedelta(hours=1), lambda: done.append(now() - began))
        await asyncio.sleep(1)
        agenda.after(timedelta(seconds=9), lambda: done.append(now() - began))
        await asyncio.sleep(7200)

    assert done == [timedelta(seconds=10), timedelta(hours=1)]


@played
async def test_what_is_marked_again_and_again_is_looked_at_once() -> None:
    agenda, looked = Agenda(), list[str]()
    dirty = Dirty(agenda, looked.append, timedelta(seconds=1))
    for name in ("a", "b", "a", "a"):
        dirty.mark(name)

    async with crew() as spawn:
        spawn(agenda.run())
        await asyncio.sleep(2)
        dirty.mark("a")
        await asyncio.sleep(2)

    assert looked == ["a", "b", "a"]


@played
async def test_a_crew_raises_what_the_body_raises_as_it_is() -> None:
    async def body() -> None:
        async with crew() as spawn:
            spawn(Agenda().run())
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await body()


@played
async def test_a_crew_ends_the_body_when_a_task_fails() -> None:
    agenda = Agenda()
    agenda.after(timedelta(seconds=5), partial(divmod, 1, 0))

    async def body() -> None:
        async with crew() as spawn:
            spawn(agenda.run())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        await body()

    assert failed.group_contains(ZeroDivisionError)


@played
async def test_a_crew_lets_a_cancellation_from_outside_through() -> None:
    async def body() -> None:
        async with crew() as spawn:
            spawn(Agenda().run())
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await asyncio.sleep(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
