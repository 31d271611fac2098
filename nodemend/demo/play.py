"""The demo from its first moment to its last, whatever ends it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from nodehealth.kit import clocks
from nodemend.demo import live, scene
from nodemend.demo.report import Report
from nodemend.demo.scene import DemoError, Options, Scene
from nodemend.demo.story import Story
from nodemend.paper import Paper

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedError(Exception):
    """Somebody ended the demo, or nobody reads what it tells any more."""


async def play(options: Options, console: Paper) -> Report:
    """Play the demo to its end, or until its time is up.

    Raises:
        DemoError: a program of the demo ended, or something did not come up in time.
        EndedError: we were told to end; nothing of the demo is left.
        nodemend.demo.namespaces.NoNamespaceError: no filesystem can be mounted here.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, told.set)
    console.unread = told.set
    playing = asyncio.create_task(_play(options, console), name="the demo")
    ending = asyncio.create_task(told.wait(), name="told to end")
    try:
        await asyncio.wait({playing, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
        if not playing.done():
            playing.cancel()
        await asyncio.wait({playing, ending})
    if playing.cancelled():
        raise EndedError("the demo was ended; nothing of it is left")
    return playing.result()


async def _play(options: Options, console: Paper) -> Report:
    started = clocks.wall()
    story = Story(None if options.live else console, started=started, clock=clocks.wall)
    async with scene.scene(options, story) as stage, _shown(stage, console):
        acts = asyncio.create_task(stage.act())
        fatal = asyncio.create_task(stage.remediators.ended())
        try:
            await asyncio.wait(
                {acts, fatal},
                timeout=options.most.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if fatal.done():
                raise DemoError(fatal.result())
            if acts.done():
                acts.result()
        finally:
            for each in (acts, fatal):
                each.cancel()
            await asyncio.gather(acts, fatal, return_exceptions=True)
        return stage.report()


@asynccontextmanager
async def _shown(stage: Scene, console: Paper) -> AsyncIterator[None]:
    """Show the scene on a screen, if it is to be shown there."""
    if not stage.options.live:
        yield
        return
    showing = asyncio.create_task(live.show(stage.picture, console), name="the screen")
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
