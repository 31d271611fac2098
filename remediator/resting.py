"""How long the action of a rung wants to be left alone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nodehealth.repair import NodeRepair


@dataclass(frozen=True, slots=True)
class Resting:
    """Remembers on which rung each action asked for a pause; losing it costs a pass.

    No change of the node shortens a pause.
    """

    _until: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def rest(self, repair: NodeRepair, until: datetime) -> None:
        """Remember a pause on the present rung."""
        self._until[repair.metadata.name] = repair.status.rung, until

    def left(self, repair: NodeRepair, now: datetime) -> timedelta:
        """Return how long the action of the present rung still wants to be left alone."""
        rung, until = self._until.get(repair.metadata.name, (-1, now))
        if rung != repair.status.rung or until <= now:
            self.forget(repair)
            return timedelta()
        return until - now

    def forget(self, repair: NodeRepair) -> None:
        """Remember nothing of a repair any more."""
        self._until.pop(repair.metadata.name, None)
