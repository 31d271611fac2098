"""Asks now and then which pods wait for a node in place of those that we evicted."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS
from nodehealth.repair import NodeRepair
from remediator.decide import unplaced
from remediator.decide.trips import Crowd
from remediator.rules.breaking import PendingPods

logger = logging.getLogger(__name__)

_EVERY: Final = timedelta(minutes=1)


class Unplaced:
    """Remembers the last answer; while nothing was evicted lately, nobody is asked.

    Args:
        client: The door to the API server.
        clock: The present time.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._asked_at: datetime | None = None
        self._fails = False
        self.known = Crowd()

    async def look(
        self, repairs: Iterable[NodeRepair], pending: PendingPods | None, now: datetime
    ) -> None:
        """Ask, if it is time to; whoever gets no answer goes by the last one.

        Args:
            repairs: All of them.
            pending: How far back evictions count; nothing where nobody wants to know.
            now: The time by the API server's clock.
        """
        evicted = unplaced.evicted(repairs, pending.within, now) if pending is not None else {}
        if not evicted:
            self.known, self._asked_at = Crowd(), None
            return
        at = self._clock()
        if self._asked_at is not None and at - self._asked_at < _EVERY:
            return
        self._asked_at = at
        try:
            pods = await self._client.listing(PODS, fields=unplaced.FIELDS, cached=True)
        except errors.KubeError as failed:
            level = logging.DEBUG if self._fails else logging.WARNING
            logger.log(level, "pods that wait for a node can't be counted: %s", failed)
            self._fails = True
            return
        self.known, self._fails = unplaced.waiting(pods.items, evicted), False
