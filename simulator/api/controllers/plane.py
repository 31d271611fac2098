"""The control plane around an API server: its controllers, run with a delay like the real ones."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from simulator.api.calls import CONTROLLERS
from simulator.api.controllers.controller import Controller
from simulator.api.controllers.disruption import DisruptionController
from simulator.api.controllers.garbage import GarbageCollector
from simulator.api.controllers.namespaces import NamespaceController
from simulator.api.controllers.tainting import TaintController
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.store import Change

MANAGER: Final = "kube-controller-manager"
_LONGEST_NAP: Final = 60.0


class ControlPlane:
    """Runs the controllers of one API server.

    Tests call `settle` when they want every controller to have caught up; programs run `run`.
    """

    def __init__(self, api: ApiServer, *, lag: timedelta = timedelta()) -> None:
        direct = Direct(api, user=CONTROLLERS, manager=MANAGER)
        world = api.world
        self._clock = world.clock
        self._lag = lag.total_seconds()
        self._wake: asyncio.Event | None = None
        self._paused: set[str] = set()
        self._controllers: Mapping[str, Controller[Any]] = {
            "taints": TaintController(world, direct),
            "namespaces": NamespaceController(world, direct),
            "disruption": DisruptionController(world, direct),
            "garbage": GarbageCollector(world, direct),
        }
        for change in world.store.present():
            self._notice(change)
        api.on_commit(self._notice)

    def settle(self) -> None:
        """Let every controller that is not paused do all that is due."""
        while self._step():
            pass

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Let controllers lag: they notice what happens and do nothing until this is over."""
        unknown = set(names) - self._controllers.keys()
        if unknown:
            known = ", ".join(self._controllers)
            raise KeyError(f"{', '.join(sorted(unknown))}: no such controller; known are {known}")
        added = set(names) - self._paused
        self._paused |= added
        try:
            yield
        finally:
            self._paused -= added
            self._rouse()

    async def run(self) -> None:
        """Run the controllers until cancelled; each reacts its lag after a change."""
        self._wake = asyncio.Event()
        while True:
            self._wake.clear()
            busy = self._step()
            if not busy:
                await self._nap(self._wake)
            await asyncio.sleep(0 if busy else self._lag)

    async def _nap(self, wake: asyncio.Event) -> None:
        due = self._due()
        left = _LONGEST_NAP if due is None else (due - self._clock()).total_seconds()
        try:
            async with asyncio.timeout(min(_LONGEST_NAP, max(0.001, left))):
                await wake.wait()
        except TimeoutError:
            return

    def _due(self) -> datetime | None:
        times = [at for one in self._awake() if (at := one.due()) is not None]
        return min(times, default=None)

    def _awake(self) -> list[Controller[Any]]:
        return [one for name, one in self._controllers.items() if name not in self._paused]

    def _step(self) -> bool:
        now = self._clock()
        return sum(one.work(now) for one in self._awake()) > 0

    def _notice(self, change: Change) -> None:
        for controller in self._controllers.values():
            controller.notice(change)
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None:
            self._wake.set()
