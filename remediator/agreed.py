"""The time that all replicas agree on: the API server's, wherever our own clock is wrong."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client

_WRONG: Final = timedelta(seconds=3)
"""By how much a clock must be wrong, at least, to be put right."""


@dataclass(slots=True)
class Agreed:
    """Our own clock, put right by what the API server's answers say.

    What one replica writes down, when a rung began or an order was given, another one counts from.
    A clock that is right is left alone, so that its fractions of a second still count.

    Args:
        own: The clock of the machine.
        client: Whose answers tell the time.
    """

    _own: Clock
    _client: Client
    _correction: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """Return the present time."""
        own, told = self._own(), self._client.server_now()
        if told is not None and not _fits(own + self._correction, told):
            earliest, latest = told
            middle = earliest + (latest - earliest) / 2
            self._correction = timedelta() if _fits(own, told) else middle - own
        return own + self._correction


def _fits(time: datetime, told: tuple[datetime, datetime]) -> bool:
    earliest, latest = told
    return earliest - _WRONG <= time <= latest + _WRONG
