"""People's side of a receiver: what arrived there, and what goes wrong on the way."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from remediator.decide.alerts import Alert
from remediator.delivery import Outcome
from remediator.sinks import DeliveryError, Outside, RefusedError, Sink


@dataclass(slots=True, kw_only=True)
class Desk:
    """Where alerts arrive, if at all."""

    heard: list[Alert] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    counted: list[tuple[Outcome, int]] = field(default_factory=list)
    away: bool = False
    hanging: bool = False
    illegible: frozenset[str] = frozenset()
    """Nodes of which nobody here wants to hear."""
    upset_by: frozenset[str] = frozenset()
    """Nodes at the mention of which everything here breaks, each time."""
    takes: float = 0
    """How many seconds it takes to tell anybody here."""

    def said(self) -> list[tuple[str, str]]:
        """Return state and urgency of all that was heard, in order."""
        return [(alert.state, alert.urgency) for alert in self.heard]

    def count(self, _: str, outcome: Outcome, alerts: int) -> None:
        """Keep what was counted."""
        self.counted.append((outcome, alerts))

    def take(self, alerts: Sequence[Alert]) -> None:
        """Take alerts in, or not."""
        self.batches.append(len(alerts))
        if self.away:
            raise DeliveryError("nobody is here")
        if self.upset_by & {each.labels.get("node", "") for each in alerts}:
            raise DeliveryError("500")
        if self.illegible & {each.labels.get("node", "") for each in alerts}:
            raise RefusedError("nobody understands that")
        self.heard.extend(alerts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDesk(Sink):
    """Brings alerts to a desk, which remembers."""

    desk: Desk
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    async def send(self, alerts: Sequence[Alert], outside: Outside) -> None:
        """Bring them, unless somebody lets us stand at the door."""
        del outside
        if self.desk.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(self.desk.takes)
        self.before()
        self.desk.take(alerts)
        self.after()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToForgetfulDesk(ToDesk):
    """Brings alerts to a desk that must be told again and again."""

    repeats: ClassVar[timedelta | None] = timedelta(minutes=1)
