"""Alertmanager, API v2: what still goes on is said again and again, and silence is the end of it.

Every Alertmanager of a cluster is told, because they only share what was sent out, not what came
in. An incident that became more urgent has another label `severity`, which makes it another alert
there; so the one it was is resolved in the same message.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from remediator.decide.alerts import Alert
from remediator.sinks import DeliveryError, Outside, Sink, require_url

logger = logging.getLogger(__name__)

_PATH: Final = "/api/v2/alerts"
_SILENCES: Final = 3
"""After how many repeats that are missing an alert ends by itself: then nodemend is away."""

_RESOLVED_FOR: Final = timedelta(minutes=5)
"""How long an end is repeated; after that the alert has run out there, heard or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager(Sink):
    """Posts alerts to every Alertmanager of a cluster."""

    repeats: ClassVar[timedelta | None] = timedelta(minutes=1)

    urls: tuple[str, ...]
    """Of each Alertmanager itself, never of a balancer before them; without `/api/v2/alerts`."""
    token_file: str = ""
    """The file with the bearer token to show, where one is asked for."""
    generator_url: str = ""
    """Where the link of each alert leads."""

    def __post_init__(self) -> None:
        """Refuse what can't be posted to."""
        if not self.urls:
            raise ValueError("expected the URL of at least one Alertmanager")
        for each in self.urls:
            require_url(each)

    async def send(self, alerts: Sequence[Alert], outside: Outside) -> None:
        """Post all alerts to each Alertmanager; one that takes them is enough for now."""
        now = outside.clock()
        body = msgspec.json.encode([each for alert in alerts for each in self._posted(alert, now)])
        headers = {"Content-Type": "application/json", **await self._authorization()}
        posts = (outside.post(f"{url.rstrip('/')}{_PATH}", body, headers) for url in self.urls)
        answers = await asyncio.gather(*posts, return_exceptions=True)
        failures = [each for each in answers if each is not None]
        for failed in failures:
            if not isinstance(failed, DeliveryError):
                raise failed
            if len(failures) == len(answers):
                raise failed
            logger.warning("one Alertmanager of %d was not told: %s", len(answers), failed)

    def _posted(self, alert: Alert, now: datetime) -> Iterator[Mapping[str, object]]:
        last = alert.rises[-1]
        until = alert.ended_at or now + _SILENCES * (self.repeats or timedelta(minutes=1))
        yield self._as_posted(alert, last.urgency, last.at, until)
        for was, became in pairwise(alert.rises):
            if now - became.at < _RESOLVED_FOR:
                yield self._as_posted(alert, was.urgency, was.at, became.at)

    def _as_posted(
        self, alert: Alert, severity: str, starts_at: datetime, ends_at: datetime
    ) -> Mapping[str, object]:
        annotations = {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": alert.runbook,
        }
        link = {"generatorURL": self.generator_url} if self.generator_url else {}
        return {
            "labels": {**alert.all_labels(), "severity": severity},
            "annotations": {name: text for name, text in annotations.items() if text},
            "startsAt": starts_at,
            "endsAt": ends_at,
            **link,
        }

    async def _authorization(self) -> Mapping[str, str]:
        if not self.token_file:
            return {}
        try:
            token = await asyncio.to_thread(Path(self.token_file).read_text)
        except OSError as wrong:
            text = f"{self.token_file}: expected Alertmanager's token, {wrong.strerror}"
            raise DeliveryError(text) from wrong
        return {"Authorization": f"Bearer {token.strip()}"}
