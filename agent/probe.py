"""What a probe is: one question to the machine, asked again and again."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.host.linux import Host
from agent.readings import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(abc.ABC):
    """One question. Its fields are its settings."""

    interval: timedelta = timedelta(seconds=30)
    """How often it is asked."""
    deadline: timedelta = timedelta(seconds=20)
    """How long it may take; whatever it has not said by then is unknown."""

    @abc.abstractmethod
    async def check(self, host: Host) -> Sequence[Answer]:
        """Say all that is the case now: a level that is not said any more is gone.

        What cannot be read is said to be unknown; an exception makes all of it unknown.
        """
