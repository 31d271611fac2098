"""Writes an Event for each decision in the records of repairs, off the way of the repairs.

It goes by the records as they are watched, and not by who writes them: so a decision is told though
its writer crashed, or never heard that it was written.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Final, NoReturn

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.repair import NodeRepair
from remediator.decide import noted
from remediator.decide.noted import Noted
from remediator.tell import Tell

logger = logging.getLogger(__name__)

_AGAIN: Final = timedelta(seconds=5)


class Noting:
    """Remembers what was told of each repair; when that is lost, Events themselves show it.

    Args:
        tell: Writes Events.
        clock: The present time.
    """

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell, self._clock = tell, clock
        self._due: dict[str, NodeRepair] = {}
        self._told: dict[str, frozenset[Noted]] = {}
        self._woken = asyncio.Event()

    def see(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Take in how a repair is now, or that its record was deleted."""
        if repair is not None:
            self._due[repair.metadata.name] = repair
            self._woken.set()
        elif before is not None:
            self._due.pop(before.metadata.name, None)
            self._told.pop(before.metadata.name, None)

    async def run(self, repairs: Iterable[NodeRepair]) -> NoReturn:
        """Tell for a term as the leader, until cancelled.

        Args:
            repairs: All that are known: whoever led before may have left something untold.
        """
        self._told.clear()
        self._due = {each.metadata.name: each for each in repairs} | self._due
        while True:
            self._woken.clear()
            while self._due:
                repair = self._due.pop(next(iter(self._due)))
                await loops.survived(partial(self._tell_of, repair), name="an Event")
            await self._woken.wait()

    async def _tell_of(self, repair: NodeRepair) -> None:
        name, known = repair.metadata.name, frozenset(noted.of(repair))
        left = list(noted.untold(repair, self._told.get(name), self._clock()))
        while left:
            self._told[name] = known - {*left}
            try:
                await self._tell.noted(repair, left[0])
            except errors.KubeError as failed:
                logger.warning("%s: writes an Event again: %s", name, failed)
                self._due.setdefault(name, repair)
                await asyncio.sleep(_AGAIN.total_seconds())
                return
            left.pop(0)
        self._told[name] = known
