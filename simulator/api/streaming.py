"""Watches that are open: they wake on changes, keep time, and can be lagged or cut off."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final, TypeAlias

from nodehealth.kit.clocks import Clock
from simulator.api import status, watching
from simulator.api.calls import Call
from simulator.api.reading import selection
from simulator.api.status import StatusError
from simulator.api.store import Shelf, Store
from simulator.api.watching import Seen, Watcher

BOOKMARK_EVERY: Final = 60.0
_SHORTEST: Final = 0.001

Encoder: TypeAlias = Callable[[Seen], bytes]
"""Writes an event as the client asked for it."""

Lag: TypeAlias = Callable[[Call], timedelta]
"""How much later than the truth a watch is."""


class Watch:
    """One open watch."""

    def __init__(self, store: Store, call: Call, *, clock: Clock, lag: Lag, timeout: float) -> None:
        self.call = call
        self._shelf: Shelf = store.shelf(call.kind)
        self._watcher = Watcher(store, self._shelf, selection(call))
        self._clock = clock
        self._lag = lag
        self._timeout = timeout
        self._wake = asyncio.Event()
        self._cut = False
        self._refused: StatusError | None = None
        self._initial = self._begin(store)

    def cut(self) -> None:
        """End the watch as a broken connection would."""
        self._cut = True
        self.rouse()

    def rouse(self) -> None:
        """Look again at what may be seen."""
        self._wake.set()

    @property
    def bookmarks(self) -> bool:
        """Tell whether the client wants to hear of versions without events."""
        return self.call.query.get("allowWatchBookmarks") in {"1", "true"}

    def _begin(self, store: Store) -> bool:
        """Find the place to start from; tell whether the present is shown first."""
        version = self.call.query.get("resourceVersion", "")
        asked = self.call.query.get("sendInitialEvents")
        if asked == "true" or (asked is None and version in {"", "0"}):
            return True
        if not (version or "0").isdigit():
            raise status.bad_request(f'resourceVersion: Invalid value: "{version}"')
        try:
            self._watcher.start_after(int(version or 0) or store.version)
        except StatusError as expired:
            self._refused = expired  # told in an event: the answer itself is 200, as real ones are
        return False

    async def events(self) -> AsyncGenerator[list[Seen], None]:
        """Yield what happens, in order, until the watch ends."""
        self._shelf.wakes.append(self._wake.set)
        try:
            if self._refused is not None:
                raise self._refused
            for found in self._present():
                yield found
                await asyncio.sleep(0)
            async with aclosing(self._changes()) as changes:
                async for found in changes:
                    yield found
        except StatusError as problem:
            yield [watching.refused(problem)]
        finally:
            self._shelf.wakes.remove(self._wake.set)

    def _present(self) -> list[list[Seen]]:
        if not self._initial:
            return []
        shown = list(self._watcher.start_now())
        if self.call.query.get("sendInitialEvents") == "true" and self.bookmarks:
            marks = {watching.INITIAL_END: "true"}
            shown.append([self._watcher.bookmark(annotations=marks)])
        return shown

    async def _changes(self) -> AsyncGenerator[list[Seen], None]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._timeout
        while not (self._cut or self._shelf.closed) and (left := ends - loop.time()) > 0:
            self._wake.clear()
            lag = self._lag(self.call)
            found = self._watcher.pull(until=self._clock() - lag if lag else None)
            if found:
                yield found
            if found is not None:
                continue
            if not await self._woken(lag, left) and self.bookmarks:
                yield [self._watcher.bookmark()]

    async def _woken(self, lag: timedelta, left: float) -> bool:
        """Wait for a change or for a lagging one to be due; tell whether either came."""
        due = self._watcher.next_at(lag) if lag else None
        wait = BOOKMARK_EVERY if due is None else (due - self._clock()).total_seconds()
        try:
            async with asyncio.timeout(max(_SHORTEST, min(wait, left))):
                await self._wake.wait()
        except TimeoutError:
            return due is not None
        return True


class Watches:
    """All watches that are open."""

    def __init__(self) -> None:
        self._open: dict[Watch, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def rouse(self) -> None:
        """Let every watch look again at what it may see."""
        for watch in self._open:
            watch.rouse()

    def cut(self, chosen: Callable[[Call], bool]) -> int:
        """Break the connections of chosen watches; return how many."""
        found = [watch for watch in self._open if chosen(watch.call)]
        for watch in found:
            watch.cut()
        return len(found)

    async def lines(self, watch: Watch, encode: Encoder) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch, a batch at a time, for as long as it is open."""
        self._open[watch] = None
        try:
            async with aclosing(watch.events()) as batches:
                async for batch in batches:
                    if batch:
                        yield b"".join(map(encode, batch))
        finally:
            self._open.pop(watch, None)
