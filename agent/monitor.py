"""Asks every probe in its own time, and folds what it says, or that it says nothing."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from agent import state
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.probe import Probe
from agent.readings import Answer, Aside, ReadingError
from agent.state import State
from agent.tally import Tally
from nodehealth import quantities
from nodehealth.health import ProbeState
from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[State], None]
_Asked: TypeAlias = asyncio.Future[Sequence[Answer | Aside]]
LEAST: Final = timedelta(milliseconds=250)
"""Between two looks of a probe that is stirred again and again: a storm is told in batches, unless
there is no room for so much of it."""
_FAREWELL: Final = timedelta(seconds=1)
"""How long a check that is cancelled may take to end; until it has, no other one is begun."""


class Monitor:
    """Holds what is known; the only place where it is replaced by what is known next."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        host: Host,
        *,
        begin: State,
        clock: Clock,
        listener: Listener = lambda _: None,
        tally: Tally | None = None,
    ) -> None:
        self.state = begin
        self._probes = probes
        self._host = host
        self._clock = clock
        self._listener = listener
        self._tally = tally or Tally()
        self._asked: dict[str, _Asked] = {}

    async def run(self, random: Random) -> None:
        """Ask every probe at its own interval, or when it is stirred, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, probe in self._probes.items():
                asking = loops.every(
                    probe.interval,
                    functools.partial(self.ask, name),
                    name=f"probe {name}",
                    random=random,
                    deadline=probe.deadline + 2 * _FAREWELL,
                    sooner=functools.partial(probe.stirred, self._host),
                    least=LEAST,
                    at_once=self._pressed(probe),
                )
                tasks.create_task(asking, name=f"probe {name}")

    def _pressed(self, probe: Probe) -> Callable[[], Awaitable[None]] | None:
        """Return what tells when a probe must be asked at once; most need never be."""
        if not probe.listens(self._host):
            return None
        return functools.partial(probe.pressed, self._host)

    async def sweep(self) -> State:
        """Ask every probe once, all at the same time."""
        await asyncio.gather(*(self.ask(name) for name in self._probes))
        return self.state

    async def ask(self, name: str) -> None:
        """Ask one probe; an answer that is late is not waited for, and is not silence either."""
        late = self._asked.get(name)
        if late is not None and not late.done():
            self._fold(name, late)
            return
        probe, now = self._probes[name], asyncio.get_running_loop().time
        began = now()
        asked = self._asked[name] = asyncio.ensure_future(
            probe.check(self._host, state.past(self.state, name))
        )
        try:
            await asyncio.wait({asked}, timeout=probe.deadline.total_seconds())
            self._fold(name, asked)
            self._tally.looked(name, self.state.reports[name].state, now() - began)
        finally:
            asked.cancel()
            await asyncio.wait({asked}, timeout=_FAREWELL.total_seconds())

    def _fold(self, name: str, asked: _Asked) -> None:
        if not asked.done():
            limit = quantities.spoken(self._probes[name].deadline)
            self._miss(name, ProbeState.OVERDUE, f"no answer within {limit}")
        elif asked.cancelled():
            self._miss(name, ProbeState.FAILED, "it gave up its own check")
        elif (error := asked.exception()) is not None:
            self._fail(name, error)
        else:
            self._learn(name, asked.result())

    def _learn(self, name: str, answers: Sequence[Answer | Aside]) -> None:
        try:
            after = state.answered(self.state, name, answers, self._clock())
        except ReadingError as nonsense:
            self._fail(name, nonsense)
        else:
            for each in self._probes[name].listens(self._host):
                each.settle()
            self._become(after)

    def _fail(self, name: str, error: BaseException) -> None:
        if isinstance(error, HungError):
            self._miss(name, ProbeState.OVERDUE, str(error))
            return
        message = f"{type(error).__name__}: {error}"
        if self.state.reports[name].message != state.shortened(message):
            logger.error("probe %s failed: %s", name, message, exc_info=error)
        self._miss(name, ProbeState.FAILED, message)

    def _miss(self, name: str, how: ProbeState, message: str) -> None:
        for each in self._probes[name].listens(self._host):
            each.restore()
        self._become(state.unanswered(self.state, name, how, message, self._clock()))

    def _become(self, after: State) -> None:
        self.state = after
        self._listener(after)
