"""Tasks that live as long as a context, and end it if one of them fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]


@asynccontextmanager
async def crew() -> AsyncIterator[Spawn]:
    """Give a way to start tasks, which are cancelled when the context is left.

    What the body raises is raised as it is; what a task raises comes in an ExceptionGroup.
    """
    group, tasks = asyncio.TaskGroup(), set[asyncio.Task[None]]()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    await group.__aenter__()
    try:
        yield spawn
    except asyncio.CancelledError as cancelled:
        _cancel(tasks)
        await group.__aexit__(type(cancelled), cancelled, cancelled.__traceback__)
        raise
    except BaseException:
        _cancel(tasks)
        await group.__aexit__(None, None, None)
        raise
    else:
        _cancel(tasks)
        await group.__aexit__(None, None, None)


def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tuple(tasks):
        task.cancel()
