"""How often a repair that stands still is written only to say so in other words."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from nodehealth.repair import NodeRepair
from remediator.decide.moves import Rest

_WORDS: Final = timedelta(seconds=5)
_REASONS: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Saying:
    """Remembers when each repair was last written for its words; losing it costs a write.

    Two replicas with different clocks, or different caches, have different things to say of the
    same repair. Each would answer what the other wrote at once, without end.
    """

    _said: dict[str, datetime] = field(default_factory=dict)

    def left(self, repair: NodeRepair, move: Rest, now: datetime) -> timedelta:
        """Return how long the words still have to wait; who does not wait is noted."""
        status, name = repair.status, repair.metadata.name
        if (status.phase, status.reason, status.message) == (move.phase, move.reason, move.message):
            return timedelta()
        same = (status.phase, status.reason) == (move.phase, move.reason)
        span, said = _WORDS if same else _REASONS, self._said.get(name)
        if said is not None and timedelta() <= now - said < span:
            return said + span - now
        self._said[name] = now
        return timedelta()

    def forget(self, repair: NodeRepair) -> None:
        """Remember nothing of a repair any more."""
        self._said.pop(repair.metadata.name, None)
