"""One receiver's own queue: the newest state of each alert, sent until somebody heard.

A receiver that hangs or is away holds up nobody but itself. What is in a queue is bounded by the
number of incidents; what does not fit comes again when everything is offered anew. What fails
again and again is sent alone, after all others: it must not keep them from being heard.
"""

import abc
import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, NoReturn, TypeAlias

import tenacity

from remediator.decide.alerts import Alert, State
from remediator.rules.alerting import Urgency, is_louder, loudness
from remediator.sinks import DeliveryError, Outside, RefusedError, Sink
from remediator.told import Told

logger = logging.getLogger(__name__)

MOST: Final = 10_000
"""How many alerts a queue holds."""
_BATCH: Final = 100
_TOGETHER: Final = 3
"""How often a batch may fail before its alerts are tried one by one."""
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
        self._failed = 0
        """How often in a row something was not heard that is under no suspicion."""
        self._suspects: dict[str, None] = {}
        """What failed when it was sent alone, and what is being tried so; last tried, last."""

    @abc.abstractmethod
    def offer(self, alert: Alert) -> None:
        """Take in the newest state of an alert, if the receiver has to hear of it."""

    @abc.abstractmethod
    async def _heard(self, alerts: Iterable[Alert]) -> None:
        """Remember what was delivered."""

    async def _wait(self) -> None:
        await self._woken.wait()

    def _recall(self) -> None:  # noqa: B027 - who remembers needs no repeat
        """Queue anew what has to be said again by now."""

    async def run(self) -> NoReturn:
        """Deliver whatever is offered, until cancelled."""
        patiently = tenacity.AsyncRetrying(
            sleep=self._rest,
            wait=self._pause,
            retry=tenacity.retry_if_exception_type(Exception),
            before_sleep=self._complain,
        )
        while True:
            await self._wait()
            await asyncio.sleep(_GROUPED.total_seconds())
            await patiently(self._deliver)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next try; a receiver that hears others hears what is new at once."""
        if self._failed:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wait()
            await asyncio.sleep(_GROUPED.total_seconds())

    def _put(self, alert: Alert) -> None:
        waiting = self.queue.get(alert.fingerprint)
        if waiting is None and len(self.queue) >= MOST and not self._made_room(alert):
            return
        if waiting is not None and waiting.key != alert.key:
            self._suspects.pop(alert.fingerprint, None)  # it says something else now
        self.queue[alert.fingerprint] = alert
        self._woken.set()

    def _made_room(self, alert: Alert) -> bool:
        """Drop the quietest of all that wait and this one; say whether it may come in."""
        self._count(self.name, Outcome.DROPPED, 1)
        quietest = min(self.queue.values(), key=_loudness)
        if not is_louder(alert.urgency, quietest.urgency):
            return False
        self._forget(quietest)
        return True

    async def _deliver(self) -> None:
        self._woken.clear()
        self._recall()
        while batch := self._next():
            await self._send(batch)
            self._recall()

    def _next(self) -> tuple[Alert, ...]:
        """Return what to send now: the loudest together, and what failed before alone, last."""
        fresh = [each for name, each in self.queue.items() if name not in self._suspects]
        if not fresh:
            return self._suspected()
        self._failed += 1  # until somebody heard
        if self._failed <= _TOGETHER:
            return tuple(sorted(fresh, key=_loudness, reverse=True)[:_BATCH])
        first = max(fresh, key=_loudness)
        self._suspects[first.fingerprint] = None
        return (first,)

    def _suspected(self) -> tuple[Alert, ...]:
        name = next((each for each in self._suspects if each in self.queue), None)
        if name is None:
            return ()
        self._suspects[name] = self._suspects.pop(name)
        return (self.queue[name],)

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
        self._failed = 0
        self._count(self.name, Outcome.SENT, len(batch))
        await self._heard(batch)
        self._done(batch)

    async def _sort_out(self, batch: tuple[Alert, ...], refused: RefusedError) -> None:
        """Send one by one what was refused together: one bad alert must not keep the others."""
        if len(batch) > 1:
            for each in batch:
                self._suspects[each.fingerprint] = None
                await self._send((each,))
            return
        self._count(self.name, Outcome.REFUSED, 1)
        logger.error("receiver %s: will never take %s: %s", self.name, batch[0].summary, refused)
        await self._heard(batch)  # it is not said to them again
        self._done(batch)

    def _done(self, batch: Iterable[Alert]) -> None:
        for each in batch:
            waiting = self.queue.get(each.fingerprint)
            if waiting is not None and waiting.key == each.key:
                self._forget(each)

    def _forget(self, alert: Alert) -> None:
        del self.queue[alert.fingerprint]
        self._suspects.pop(alert.fingerprint, None)

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
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._again):
                await self._woken.wait()
        self._recall()

    def _recall(self) -> None:
        """Queue all that is known, each time that it must be said again, however much is new."""
        if asyncio.get_running_loop().time() < self._again:
            return
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


def _loudness(alert: Alert) -> int:
    return loudness(alert.urgency)
