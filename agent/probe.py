"""What a probe is: one question to the machine, asked again and again."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from agent.host.linux import Host
from agent.readings import Answer
from nodehealth.health import Level

Past: TypeAlias = Mapping[tuple[str, str], Level]
"""What a probe said last of each name and subject, in this boot, restarts of the agent included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(abc.ABC):
    """One question. Its fields are its settings."""

    interval: timedelta = timedelta(seconds=30)
    """How often it is asked."""
    deadline: timedelta = timedelta(seconds=20)
    """How long it may take; whatever it has not said by then is unknown."""

    @abc.abstractmethod
    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say all that is the case now: a level that is not said any more is gone.

        What is the case may depend on what was: a disk is missing only if it was there. What cannot
        be read is said to be unknown; an exception makes all of it unknown.
        """
