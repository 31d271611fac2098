"""What a probe is: one question to the machine, asked again and again."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from agent.host import stream
from agent.host.linux import Host
from agent.host.stream import Stream
from agent.readings import Answer, Aside
from nodehealth.health import Level

Past: TypeAlias = Mapping[tuple[str, str], Level]
"""What a probe said last of each name and subject, in this boot, restarts of the agent included;
and what it wanted to be remembered, under no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(abc.ABC):
    """One question. Its fields are its settings."""

    interval: timedelta = timedelta(seconds=30)
    """How often it is asked."""
    deadline: timedelta = timedelta(seconds=20)
    """How long it may take; whatever it has not said by then is unknown."""

    @abc.abstractmethod
    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say all that is the case now: a level that is not said any more is gone.

        What is the case may depend on what was: a disk is missing only if it was there. What cannot
        be read is said to be unknown; an exception makes all of it unknown.
        """

    def listens(self, host: Host) -> Sequence[Stream[Any]]:
        """Return what it takes from when it is asked; by default nothing.

        What it took is there again if nothing came of the look, whyever.
        """
        del host
        return ()

    async def stirred(self, host: Host) -> None:
        """Return when it should be asked before its interval is over: when there is what it takes.

        Whatever stirred it must be gone once it was asked, or it is asked again and again.
        """
        await stream.any_filled(*self.listens(host))

    async def pressed(self, host: Host) -> None:
        """Return when it should be asked at once, or what it takes is lost."""
        await stream.any_crowded(*self.listens(host))
