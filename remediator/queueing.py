"""When each repair that was refused asks again: who waits for time, when its own time has come."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.repair import NodeRepair
from remediator.decide import waiting
from remediator.decide.limits import Refused, Why
from remediator.decide.scopes import Scopes

WAIT_AGAIN: Final = timedelta(seconds=30)
"""How often a repair that waits for others looks again although nobody told it to."""
_SOONEST: Final = timedelta(seconds=1)
"""How soon at the earliest, should our clock and the API server's differ about an end."""
QUEUE_AGAIN: Final = timedelta(minutes=5)
"""The same for one that is not next in the queue; it is told when it is."""


class Queueing:
    """Remembers until when whoever waits for a token need not ask; losing it costs a question.

    Without it, hundreds that wait would ask and write down another time with every token that one
    of them gets.

    Args:
        clock: The present time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, tuple[Why, datetime]] = {}

    def left(self, repair: NodeRepair) -> timedelta:
        """Return how long a repair still waits for the token that it was told of."""
        why, until = self._until.get(repair.metadata.name, ("", self._clock()))
        if why != repair.status.reason:
            return timedelta()
        return max(timedelta(), until - self._clock())

    def refused(
        self,
        refused: Refused,
        repair: NodeRepair,
        repairs: Iterable[NodeRepair],
        scopes: Scopes,
    ) -> tuple[str, timedelta]:
        """Return what a refusal means for a repair among the others, and when it asks again."""
        if refused.after is None:
            ends = refused.until or self._clock() + WAIT_AGAIN
            return refused.message, max(min(ends - self._clock(), WAIT_AGAIN), _SOONEST)
        ahead = waiting.ahead(repair, repairs, scopes)
        again = min(refused.after + ahead * refused.every, QUEUE_AGAIN)
        self._until[repair.metadata.name] = refused.why, self._clock() + again
        crowd = f", and {ahead} of its pool go before this one" if ahead else ""
        return refused.message + crowd, again

    def clear(self) -> None:
        """Remember nothing: the rates are other ones now."""
        self._until.clear()

    def forget(self, repair: NodeRepair) -> None:
        """Remember nothing of a repair any more."""
        self._until.pop(repair.metadata.name, None)
