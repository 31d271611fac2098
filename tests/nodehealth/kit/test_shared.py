"""One read serves all who asked before it began, and nobody else."""

import asyncio

import pytest

from nodehealth.kit.shared import Shared


class Counter:
    """Something to read: it counts how often, and takes its time until it is told to go on."""

    def __init__(self) -> None:
        self.reads = 0
        self.go_on = asyncio.Event()
        self.failure: OSError | None = None

    async def read(self) -> int:
        self.reads += 1
        mine = self.reads
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        return mine


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_callers_that_come_during_a_read_share_the_next_one() -> None:
    counter = Counter()
    shared = Shared(counter.read)

    first = asyncio.create_task(shared.get())
    await turns()
    later = [asyncio.create_task(shared.get()) for _ in range(5)]
    await turns()
    counter.go_on.set()

    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 5


async def test_a_read_that_is_over_is_not_shared() -> None:
    counter = Counter()
    counter.go_on.set()
    shared = Shared(counter.read)

    assert [await shared.get(), await shared.get()] == [1, 2]


async def test_a_reader_that_is_cancelled_leaves_the_read_to_another_one() -> None:
    counter = Counter()
    shared = Shared(counter.read)
    reader = asyncio.create_task(shared.get())
    await turns()
    others = [asyncio.create_task(shared.get()) for _ in range(2)]
    await turns()
    reader.cancel()
    await turns()
    others[0].cancel()
    await turns()
    counter.go_on.set()

    assert await others[1] == counter.reads == 3


async def test_a_failure_is_told_to_all_who_waited_for_it_and_to_nobody_after() -> None:
    counter = Counter()
    shared = Shared(counter.read)
    tasks = [asyncio.create_task(shared.get()) for _ in range(3)]
    await turns()
    counter.failure = OSError("away")
    counter.go_on.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    counter.failure = None

    assert all(isinstance(each, OSError) for each in told)
    assert await shared.get() == counter.reads


async def test_what_is_no_failure_of_the_read_is_raised_where_it_happened() -> None:
    async def wrong() -> int:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="of ours"):
        await Shared(wrong).get()
