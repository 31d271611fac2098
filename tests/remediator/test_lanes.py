"""Each node is looked at soon after it was touched, and when its time has come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from remediator.lanes import Lanes
from simulator import virtualtime

_LOOK = 10
"""How many seconds a look takes."""


@dataclass(slots=True)
class Looks:
    """Looks at nodes, and remembers how many seconds after its start."""

    began: list[tuple[float, str]] = field(default_factory=list)
    start: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def look(self, node: str) -> None:
        """Take a while."""
        self.began.append((asyncio.get_running_loop().time() - self.start, node))
        await asyncio.sleep(_LOOK)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Lanes, Looks]]:
    """Have somebody look until the end."""
    looks = Looks()
    lanes = Lanes(looks.look, clock=virtualtime.clock())
    task = asyncio.create_task(lanes.run())
    yield lanes, looks
    lanes.stop()
    await task


@virtualtime.played
async def test_several_nodes_are_looked_at_at_once() -> None:
    async with running() as (lanes, looks):
        lanes.touch("a")
        lanes.touch("b")
        await asyncio.sleep(1)

    assert looks.began == [(0, "a"), (0, "b")]


@virtualtime.played
async def test_a_node_touched_while_it_is_looked_at_is_looked_at_once_more_after() -> None:
    async with running() as (lanes, looks):
        lanes.touch("a")
        await asyncio.sleep(1)
        lanes.touch("a")
        lanes.touch("a")
        await asyncio.sleep(60)

    assert looks.began == [(0, "a"), (_LOOK, "a")]


@virtualtime.played
async def test_of_several_times_the_first_counts() -> None:
    async with running() as (lanes, looks):
        now = virtualtime.clock()()
        for seconds in (50, 30, 40):
            lanes.remind("a", now + timedelta(seconds=seconds))
        lanes.touch("b")
        before = lanes.is_due("a")
        await asyncio.sleep(120)
        after = lanes.is_due("a")

    assert looks.began == [(0, "b"), (30, "a")]
    assert (before, after) == (True, False)


@virtualtime.played
async def test_who_is_told_to_stop_ends_what_it_looks_at_and_begins_nothing() -> None:
    looks = Looks()
    lanes = Lanes(looks.look, clock=virtualtime.clock())
    task = asyncio.create_task(lanes.run())
    lanes.touch("a")
    await asyncio.sleep(1)
    lanes.stop()
    lanes.touch("b")
    await task

    assert looks.began == [(0, "a")]
    assert asyncio.get_running_loop().time() - looks.start == _LOOK
