"""One request for one whole answer: its deadline, its errors, and the second try of a read."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from random import Random
from typing import Final

from nodehealth.kube import errors, status
from nodehealth.kube.transport import Request, Transport

_TRIES: Final = 4
_FIRST_PAUSE: Final = 0.1
_TOLD_TO: Final = timedelta(seconds=1)
"""How exactly an answer tells the time."""


_moment: Final = lru_cache(maxsize=16)(parsedate_to_datetime)
"""Answers that come within the same second all say the same."""


class Exchange:
    """Sends requests over a transport and remembers the server's clock."""

    def __init__(self, transport: Transport, *, deadline: timedelta, random: Random) -> None:
        self.transport = transport
        self.deadline = deadline
        self.server_time: datetime | None = None
        self._heard: tuple[asyncio.AbstractEventLoop, float, float, datetime] | None = None
        """Whose time it is at which the last request was sent, and its answer came, and what the
        server's clock said then: what a watch says later belongs to another moment."""
        self._random = random

    async def once(self, request: Request, *, deadline: timedelta | None = None) -> bytes:
        """Send a request and return the body of its answer.

        Raises:
            nodehealth.kube.errors.KubeError: there is no answer, or it is no success.
        """
        limit, sent = deadline or self.deadline, asyncio.get_running_loop().time()
        try:
            async with (
                asyncio.timeout(limit.total_seconds()),
                self.transport.open(request, deadline=limit) as response,
            ):
                body = await response.read()
        except TimeoutError as late:
            text = f"no answer within {limit.total_seconds():g} s"
            raise errors.OutcomeUnknownError(status.said(request, text)) from late
        self.heard(response.headers, sent=sent)
        if 200 <= response.status < 300:
            return body
        raise status.error(request, response.status, response.headers, body)

    async def patiently(self, request: Request) -> bytes:
        """Send a request that changes nothing, again if the server is away."""
        for attempt in range(1, _TRIES):
            with contextlib.suppress(errors.UnavailableError):
                return await self.once(request)
            await asyncio.sleep(self._pause(attempt))
        return await self.once(request)

    def heard(self, headers: Mapping[str, str], *, sent: float | None = None) -> None:
        """Remember what the server's clock said, and when it was asked."""
        try:
            self.server_time = _moment(headers["date"])
        except (KeyError, ValueError):
            return
        if sent is not None:
            loop = asyncio.get_running_loop()
            self._heard = loop, sent, loop.time(), self.server_time

    def server_now(self) -> tuple[datetime, datetime] | None:
        """Say what the server's clock shows now, at the earliest and at the latest."""
        if self._heard is None:
            return None
        loop, sent, heard, told = self._heard
        now = loop.time()
        earliest = told + timedelta(seconds=now - heard)
        return earliest, told + _TOLD_TO + timedelta(seconds=now - sent)

    def _pause(self, attempt: int) -> float:
        return _FIRST_PAUSE * 2.0**attempt * self._random.uniform(0.5, 1.0)
