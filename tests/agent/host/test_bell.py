"""Whoever waits for a bell misses no ring, though they may be busy when it rings."""

import asyncio

import pytest

from agent.host.bell import Bell


async def hears(bell: Bell, who: str) -> bool:
    try:
        await asyncio.wait_for(bell.rung(who), 0.01)
    except TimeoutError:
        return False
    return True


async def test_all_who_wait_hear_it() -> None:
    bell = Bell()
    waiting = [asyncio.create_task(bell.rung(who)) for who in ("a", "b")]
    await asyncio.sleep(0)

    bell.ring()

    await asyncio.wait_for(asyncio.gather(*waiting), 5)


@pytest.mark.parametrize("rings", [1, 3])
async def test_who_is_busy_when_it_rings_hears_it_once_afterwards(rings: int) -> None:
    bell = Bell()
    bell.ring()
    assert await hears(bell, "a")

    for _ in range(rings):
        bell.ring()

    assert [await hears(bell, "a"), await hears(bell, "a")] == [True, False]
    assert await hears(bell, "b")
