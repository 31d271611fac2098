"""Switches that make the server, or the way to it, misbehave: for tests and scenarios.

    with api.faults.active(Html(code=502, match=Match(method="PATCH"), times=3)): ...

Faults act on what clients send, never on the control plane. Several may be on; the first that
matches a request acts.
"""

import abc
import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from nodehealth.kube.errors import OutcomeUnknownError, UnreachableError
from nodehealth.kube.transport import Request
from simulator.api import answers, status
from simulator.api.answers import Outcome
from simulator.api.calls import Call

Respond: TypeAlias = Callable[[], Outcome]
"""Carries the request out and gives its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a fault concerns; what is left empty matches everything."""

    method: str = ""
    path: str = ""
    """A part of the path, such as `/eviction` or `/nodes/n1`."""
    agent: str = ""
    """The beginning of the User-Agent, or the whole fieldManager."""
    watch: bool | None = None

    def takes(self, request: Request) -> bool:
        """Tell whether a request is meant."""
        manager = request.query.get("fieldManager", "")
        caller = request.headers.get("user-agent", "")
        watches = request.query.get("watch") in {"1", "true"}
        return (
            self.method in {"", request.method}
            and self.path in request.path
            and (caller.startswith(self.agent) or manager == self.agent)
            and self.watch in {None, watches}
        )


EVERYTHING = Match()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(abc.ABC):
    """One way to misbehave, for some requests, a number of times."""

    match: Match = EVERYTHING
    times: int | None = None
    """How often it happens before it is over; None is for as long as it is on."""

    @abc.abstractmethod
    async def answer(self, respond: Respond) -> Outcome:
        """Answer in the place of the server, which may or may not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Fault):
    """Answers with a Status and does nothing."""

    code: int = 500
    reason: str = "InternalError"
    message: str = "an error on the server has prevented the request from succeeding"
    retry_after: int = 0

    async def answer(self, respond: Respond) -> Outcome:
        """Refuse."""
        del respond
        details = {"retryAfterSeconds": self.retry_after} if self.retry_after else None
        refusal = status.StatusError(self.code, self.reason, self.message, details=details)
        return answers.refusal(refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Html(Fault):
    """Answers with the page of a load balancer that lost its server."""

    code: int = 502

    async def answer(self, respond: Respond) -> Outcome:
        """Show the page."""
        del respond
        page = f"<html><head><title>{self.code}</title></head><body>Bad Gateway</body></html>"
        headers = {"content-type": "text/html"}
        return Outcome(code=self.code, pieces=(page.encode(),), headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty(Fault):
    """Answers 200 and nothing: a watch that ends at once."""

    async def answer(self, respond: Respond) -> Outcome:
        """Say nothing."""
        del respond
        return Outcome(code=200, pieces=(b"",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(Fault):
    """Never answers, and does nothing."""

    async def answer(self, respond: Respond) -> Outcome:
        """Wait until the client gives up."""
        del respond
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class HangAfterCommit(Fault):
    """Does what is asked and never answers: the client cannot know."""

    async def answer(self, respond: Respond) -> Outcome:
        """Carry the request out, then wait until the client gives up."""
        respond()
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseAnswer(Fault):
    """Does what is asked and breaks the connection."""

    async def answer(self, respond: Respond) -> Outcome:
        """Carry the request out and break off."""
        respond()
        raise OutcomeUnknownError("the connection broke before the answer came")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable(Fault):
    """Breaks the connection before anything is done."""

    async def answer(self, respond: Respond) -> Outcome:
        """Break off."""
        del respond
        raise UnreachableError("connection refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Fault):
    """Does what is asked after a delay."""

    delay: timedelta

    async def answer(self, respond: Respond) -> Outcome:
        """Wait, then answer."""
        await asyncio.sleep(self.delay.total_seconds())
        return respond()


@dataclass(frozen=True, slots=True, kw_only=True)
class LateWatch:
    """Watches see changes only some time after they happened: stale caches."""

    lag: timedelta
    resource: str = ""
    """Such as `nodes`; of every resource if it is empty."""
    agent: str = ""
    """The beginning of the User-Agent."""

    def concerns(self, call: Call) -> bool:
        """Tell whether a watch is late by this."""
        return self.resource in {"", call.kind.resource} and call.agent.startswith(self.agent)


@dataclass(slots=True)
class Faults:
    """The faults that are on."""

    _on: list[Fault] = field(default_factory=list)
    _left: dict[int, int] = field(default_factory=dict)
    _late: list[LateWatch] = field(default_factory=list)
    rouse: Callable[[], None] = lambda: None
    """Makes watches look again whether they are late."""

    def add(self, fault: Fault) -> None:
        """Turn a fault on."""
        self._on.append(fault)
        if fault.times is not None:
            self._left[id(fault)] = fault.times

    def clear(self) -> None:
        """Turn everything off."""
        self._on.clear()
        self._left.clear()
        self._late.clear()
        self.rouse()

    @contextmanager
    def active(self, fault: Fault) -> Iterator[None]:
        """Turn a fault on for a while."""
        self.add(fault)
        try:
            yield
        finally:
            self._off(fault)

    @contextmanager
    def late(self, late: LateWatch) -> Iterator[None]:
        """Let watches be late for a while; what was held back is seen afterwards."""
        self._late.append(late)
        try:
            yield
        finally:
            self._late[:] = [one for one in self._late if one is not late]
            self.rouse()

    def lag(self, call: Call) -> timedelta:
        """Return how late a watch is."""
        return max((one.lag for one in self._late if one.concerns(call)), default=timedelta())

    def next_for(self, request: Request) -> Fault | None:
        """Return the fault that a request meets, and count it."""
        fault = next((one for one in self._on if one.match.takes(request)), None)
        if fault is not None and id(fault) in self._left:
            self._left[id(fault)] -= 1
            if self._left[id(fault)] <= 0:
                self._off(fault)
        return fault

    def _off(self, fault: Fault) -> None:
        self._on[:] = [one for one in self._on if one is not fault]
        self._left.pop(id(fault), None)
