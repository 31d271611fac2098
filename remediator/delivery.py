"""One receiver's own queue: the newest state of each alert, sent until somebody heard.

A receiver that hangs or is away holds up nobody but itself. What is in a queue is bounded by the
number of incidents; what does not fit comes again when everything is offered anew.
"""

import abc
import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, NoReturn, TypeAlias

import tenacity

from remediator.decide.alerts import Alert, State
from remediator.rules.alerting import Urgency, is_louder
from remediator.sinks import DeliveryError, Outside, RefusedError, Sink
from remediator.told import Told

logger = logging.getLogger(__name__)

MOST: Final = 10_000
"""How many alerts a queue holds."""
_BATCH: Final = 100
_GROUPED: Final = timedelta(seconds=1)
"""How long to wait for what happens at the same time."""
_DEADLINE: Final = timedelta(seconds=15)
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_REPEATED: Final = timedelta(minutes=1)
_RESOLVED_FOR: Final = timedelta(minutes=5)
"""How long the end of an incident is repeated where all is repeated."""


class Outcome(StrEnum):
    """What became of an alert that was to be delivered."""

    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    DROPPED = "dropped"


Count: TypeAlias = Callable[[str, Outcome, int], None]
"""Counts alerts by receiver and outcome."""


class Delivery(abc.ABC):
    """Delivers to one receiver.

    Args:
        name: What the policy calls the receiver.
        sink: The way to tell it.
        outside: What the sink works with.
        random: Where the jitter of retries comes from.
        count: Counts what was delivered.
    """

    def __init__(
        self, name: str, sink: Sink, *, outside: Outside, random: Random, count: Count
    ) -> None:
        self.name = name
        self.queue: dict[str, Alert] = {}
        """What is still to be delivered, by fingerprint."""
        self._sink, self._outside = sink, outside
        self._random, self._count = random, count
        self._woken = asyncio.Event()

    @abc.abstractmethod
    def offer(self, alert: Alert) -> None:
        """Take in the newest state of an alert, if the receiver has to hear of it."""

    @abc.abstractmethod
    async def _heard(self, alerts: Iterable[Alert]) -> None:
        """Remember what was delivered."""

    async def _wait(self) -> None:
        await self._woken.wait()

    async def run(self) -> NoReturn:
        """Deliver whatever is offered, until cancelled."""
        patiently = tenacity.AsyncRetrying(
            sleep=asyncio.sleep,
            wait=self._pause,
            retry=tenacity.retry_if_exception_type(Exception),
            before_sleep=self._complain,
        )
        while True:
            await self._wait()
            await asyncio.sleep(_GROUPED.total_seconds())
            self._woken.clear()
            await patiently(self._deliver)

    def _put(self, alert: Alert) -> None:
        if len(self.queue) >= MOST and alert.fingerprint not in self.queue:
            self._count(self.name, Outcome.DROPPED, 1)
            return
        self.queue[alert.fingerprint] = alert
        self._woken.set()

    async def _deliver(self) -> None:
        while self.queue:
            await self._send(tuple(self.queue.values())[:_BATCH])

    async def _send(self, batch: tuple[Alert, ...]) -> None:
        try:
            async with asyncio.timeout(_DEADLINE.total_seconds()):
                await self._sink.send(batch, self._outside)
        except RefusedError as refused:
            await self._sort_out(batch, refused)
            return
        except TimeoutError as late:
            text = f"no answer within {_DEADLINE.total_seconds():g} s"
            raise DeliveryError(text) from late
        self._count(self.name, Outcome.SENT, len(batch))
        await self._heard(batch)
        self._done(batch)

    async def _sort_out(self, batch: tuple[Alert, ...], refused: RefusedError) -> None:
        """Send one by one what was refused together: one bad alert must not keep the others."""
        if len(batch) > 1:
            for each in batch:
                await self._send((each,))
            return
        self._count(self.name, Outcome.REFUSED, 1)
        logger.error("receiver %s: will never take %s: %s", self.name, batch[0].summary, refused)
        self._done(batch)

    def _done(self, batch: Iterable[Alert]) -> None:
        for each in batch:
            waiting = self.queue.get(each.fingerprint)
            if waiting is not None and waiting.key == each.key:
                del self.queue[each.fingerprint]

    def _complain(self, state: tenacity.RetryCallState) -> None:
        failed = state.outcome.exception() if state.outcome else None
        self._count(self.name, Outcome.FAILED, len(self.queue))
        text = "receiver %s: %d alerts were not delivered, tries again: %s"
        foreseen = isinstance(failed, DeliveryError)
        say = logger.warning if foreseen else logger.error
        say(text, self.name, len(self.queue), failed, exc_info=None if foreseen else failed)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(state.attempt_number, 10))
        return longest * self._random.uniform(0.5, 1.0)


class Once(Delivery):
    """Delivers to who remembers: each beginning, each rise and each end is said once."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        *,
        outside: Outside,
        random: Random,
        count: Count,
        told: Told,
    ) -> None:
        super().__init__(name, sink, outside=outside, random=random, count=count)
        self._told = told

    def offer(self, alert: Alert) -> None:
        """Take in what the receiver has not heard; the end only of what it may have heard of."""
        heard = self._told.heard(alert, self.name)
        if alert.state is State.RESOLVED:
            news = heard is not None
        else:
            news = not heard or is_louder(alert.urgency, Urgency(heard))
        if news:
            self._put(alert)

    async def _heard(self, alerts: Iterable[Alert]) -> None:
        await self._told.mark(self.name, alerts)


class Repeated(Delivery):
    """Delivers to who forgets: all that goes on is said again and again, each end for a while."""

    def __init__(
        self, name: str, sink: Sink, *, outside: Outside, random: Random, count: Count
    ) -> None:
        super().__init__(name, sink, outside=outside, random=random, count=count)
        self._every = (sink.repeats or _REPEATED).total_seconds()
        self._again = asyncio.get_running_loop().time() + self._every
        self._known: dict[str, Alert] = {}

    def offer(self, alert: Alert) -> None:
        """Take in all but what has been over for long."""
        known = self._known.get(alert.fingerprint)
        if alert == known or _is_past(alert, self._outside.clock()):
            return
        self._known[alert.fingerprint] = alert
        if known is None or (known.state, known.urgency) != (alert.state, alert.urgency):
            self._put(alert)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout_at(self._again):
                await self._woken.wait()
        except TimeoutError:
            self._again = asyncio.get_running_loop().time() + self._every
            now = self._outside.clock()
            self._known = {
                each: alert for each, alert in self._known.items() if not _is_past(alert, now)
            }
            self.queue.update(self._known)

    async def _heard(self, alerts: Iterable[Alert]) -> None:
        """Remember nothing: it is all said again."""


def _is_past(alert: Alert, now: datetime) -> bool:
    return alert.ended_at is not None and now - alert.ended_at > _RESOLVED_FOR
