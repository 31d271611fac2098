"""One way of telling people a file; a sink is found by its module's name."""

import abc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypeAlias
from urllib.parse import urlsplit

from nodehealth.kit.clocks import Clock
from remediator.decide.alerts import Alert

Post: TypeAlias = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]
"""Posts a body with headers to a URL once; raises DeliveryError if it was not taken."""


class DeliveryError(Exception):
    """Nobody heard, or perhaps nobody: it must be said again."""


class RefusedError(DeliveryError):
    """What was said is not understood there, and never will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a sink works with."""

    post: Post
    write: Callable[[str], Awaitable[None]]
    """Writes to the standard output."""
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink(abc.ABC):
    """One channel to people. Retries, deadlines, grouping and dedup happen before it is called."""

    repeats: ClassVar[timedelta | None] = None
    """How often it must hear of all that still goes on; nothing for one that remembers."""

    @abc.abstractmethod
    async def send(self, alerts: Sequence[Alert], outside: Outside) -> None:
        """Deliver once.

        Raises:
            DeliveryError: it is not sure that somebody heard.
        """


def require_url(url: str) -> None:
    """Refuse what is no URL.

    Raises:
        ValueError: says what was expected.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"expected a URL such as https://host/path, got {url!r}")


def as_wire(alert: Alert) -> dict[str, object]:
    """Write an alert as the webhook and the standard output say it."""
    return {
        "key": alert.key,
        "fingerprint": alert.fingerprint,
        "state": alert.state,
        "severity": alert.urgency,
        "needsPerson": alert.needs_person,
        "labels": alert.all_labels(),
        "summary": alert.summary,
        "description": alert.description,
        "runbook": alert.runbook,
        "startsAt": alert.starts_at,
        "endsAt": alert.ended_at,
    }
