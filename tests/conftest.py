"""What holds for every test: nothing blocks the loop, nothing is left behind, luck repeats."""

import asyncio
import gc
import inspect
import os
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from blockbuster import BlockBuster, BlockBusterFunction
from hypothesis import settings

OURS: Final = ("agent", "nodehealth", "nodemend", "remediator", "simulator")
BATCH: Final = 10
"""How many seeds share a test: few enough to find the bad one, enough to start few tests."""
GRACE: Final = 2.0
"""Seconds in which a thread or task that was told to end must end."""

settings.register_profile("gate", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("desk", deadline=None)  # a slow machine is not a wrong program
settings.load_profile("gate" if os.environ.get("CI") else "desk")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a promise of safety that asks for `seeds` NODEMEND_SEEDS of them, a batch a test."""
    if "seeds" in metafunc.fixturenames:
        every = range(int(os.environ.get("NODEMEND_SEEDS", "500")))
        if metafunc.module.__name__.rpartition(".")[2] != "test_ordeals":
            every = every[::2]  # what is played there too, and dearer
        batches = [every[at : at + BATCH] for at in range(0, len(every), BATCH)]
        metafunc.parametrize("seeds", batches, ids=lambda batch: f"{batch[0]}-{batch[-1]}")


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """Raise where our code, called by an event loop, waits for a disk, a lock or a process."""
    # the virtual loop calls the test itself, which may arrange its files where it likes
    watched, not_a_caller = list(OURS), ["simulator.virtualtime"]
    buster = BlockBuster(watched, excluded_modules=not_a_caller)
    buster.functions |= {
        call: BlockBusterFunction(
            None, call, scanned_modules=watched, excluded_modules=not_a_caller
        )
        for call in ("os.fsync", "os.open")
    }
    buster.activate()
    yield
    buster.deactivate()


@pytest.fixture(autouse=True)
def seeds_leave_no_garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a batch of seeds left: what was frozen meanwhile starts no collection itself."""
    yield
    if "seeds" in request.fixturenames:
        gc.collect()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail a test after which a thread of its own goes on."""
    before = set(threading.enumerate())
    yield
    started = [each for each in threading.enumerate() if each not in before and not each.daemon]
    for thread in started:
        thread.join(GRACE)
    alive = [thread.name for thread in started if thread.is_alive()]
    assert not alive, f"threads were left running: {', '.join(alive)}"


@pytest.fixture(autouse=True)
def no_task_is_left(request: pytest.FixtureRequest, no_thread_is_left: None) -> None:
    """Fail a test after which a task of its own goes on."""
    del no_thread_is_left  # only named so that threads are counted after the loop is closed
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("tasks_end")


@pytest.fixture
async def tasks_end() -> AsyncIterator[None]:
    """Give tasks that were told to end a moment, then complain about those that still run."""
    before = asyncio.all_tasks()
    yield
    started = asyncio.all_tasks() - before - {asyncio.current_task()}
    ending = {task for task in started if task.cancelling()}
    if ending:
        await asyncio.wait(ending, timeout=GRACE)
    alive = [task.get_name() for task in started if not task.done()]
    assert not alive, f"tasks were left running: {', '.join(alive)}"
