"""When the newest report is written: as soon as the budget and the API server allow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeAlias

import msgspec

from agent import budget, changes, fitting
from agent.budget import Account, Budget
from agent.changes import Change
from agent.fitting import Fitted
from agent.report import NotOursError
from agent.tally import Obstacle, Tally
from nodehealth.health import NodeHealthStatus
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors

logger = logging.getLogger(__name__)

REFRESH: Final = timedelta(minutes=5)
BUSY_REFRESH: Final = timedelta(seconds=20)
LONGEST_PAUSE: Final = timedelta(minutes=1)
"""The longest wait between two tries while the API server is away."""

Send: TypeAlias = Callable[[NodeHealthStatus], Awaitable[None]]


class Publisher:
    """Holds the newest report until it is written; what it replaced before that is never sent."""

    def __init__(
        self,
        send: Send,
        *,
        clock: Clock,
        random: Random,
        limits: Budget = budget.DEFAULT,
        tally: Tally | None = None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._random = random
        self._limits = limits
        self._tally = tally or Tally()
        self._newest: NodeHealthStatus | None = None
        self._sent: NodeHealthStatus | None = None
        self._account: Account | None = None
        self._failures = 0
        self._complaints = frozenset[Obstacle]()
        self._is_cut = False
        self._not_before = 0.0
        self._stopping = False
        self._wake = asyncio.Event()

    def offer(self, status: NodeHealthStatus) -> None:
        """Take the newest report."""
        self._newest = status
        self._wake.set()

    def stop(self) -> None:
        """End `run` once the write in flight, if there is one, is answered."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Write what is offered, when it is due, until stopped."""
        now = asyncio.get_running_loop().time
        while not self._stopping:
            self._wake.clear()
            wait = self._due() - now()
            if self._newest is None or wait > 0:
                await self._rest(None if self._newest is None else wait)
            else:
                await self._write(self._newest, now())

    def _due(self) -> float:
        return max(self._not_before, budget.due(self._limits, self._account, self._change()))

    def _change(self) -> Change:
        if self._newest is None:
            return Change.NONE
        return changes.between(self._sent, self._newest)

    async def _rest(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _write(self, newest: NodeHealthStatus, now: float) -> None:
        at, change = self._clock(), self._change()
        refresh = REFRESH if changes.is_nominal(newest, at) else BUSY_REFRESH
        seconds = round(refresh.total_seconds())
        status = msgspec.structs.replace(newest, reported_at=at, refresh_seconds=seconds)
        fitted = self._fitted(status, at)
        try:
            await self._send(fitted.status)
        except (errors.KubeError, NotOursError) as failure:
            self._failed(failure)
        else:
            self._tally.wrote(at, fitted.size, fitted.left_out)
            self._pay(change, now, refresh)
            self._succeeded(newest)

    def _pay(self, change: Change, now: float, refresh: timedelta) -> None:
        """Charge a write that was made; one that failed is followed by a pause instead."""
        refresh_at = now + refresh.total_seconds() * self._random.uniform(0.8, 1.0)
        self._account = budget.spent(self._limits, self._account, change, now, refresh_at)

    def _failed(self, failure: errors.KubeError | NotOursError) -> None:
        """Wait longer after each failure; with jitter, so that a fleet does not return as one."""
        obstacle = _obstacle(failure)
        self._tally.failures[obstacle] += 1
        level = logging.DEBUG if obstacle in self._complaints else logging.WARNING
        self._complaints |= {obstacle}
        logger.log(level, "the report could not be written, trying again: %s", failure)
        longest = LONGEST_PAUSE.total_seconds()
        pause = min(longest, 2.0**self._failures) * self._random.uniform(0.5, 1.0)
        if isinstance(failure, errors.BlockedError) and failure.retry_after:
            asked = failure.retry_after.total_seconds()
            pause = max(pause, asked * self._random.uniform(1.0, 1.5))
        self._failures = min(self._failures + 1, 10)
        self._not_before = asyncio.get_running_loop().time() + pause

    def _succeeded(self, sent: NodeHealthStatus) -> None:
        if self._failures:
            logger.info("the report is written again")
        self._complaints, self._failures = frozenset(), 0
        self._not_before, self._sent = 0.0, sent

    def _fitted(self, status: NodeHealthStatus, at: datetime) -> Fitted:
        fitted = fitting.fit(status, at)
        if fitted.message and not self._is_cut:
            logger.warning("%s", fitted.message)
        if self._is_cut and not fitted.message:
            logger.info("the report fits again")
        self._is_cut = bool(fitted.message)
        return fitted


_OBSTACLES: Final[Mapping[type[Exception], Obstacle]] = {
    errors.UnavailableError: Obstacle.AWAY,
    errors.BlockedError: Obstacle.BUSY,
    errors.ForbiddenError: Obstacle.FORBIDDEN,
    errors.SettingsError: Obstacle.FORBIDDEN,
    errors.GoneError: Obstacle.MISSING,
    NotOursError: Obstacle.NOT_OURS,
}


def _obstacle(failure: Exception) -> Obstacle:
    known = (named for kind, named in _OBSTACLES.items() if isinstance(failure, kind))
    return next(known, Obstacle.REFUSED)
