"""Restart-service: have a program on the node restart one of its services."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.errand import Program
from nodehealth.repair import NodeRepair
from nodehealth.units import Service
from remediator.actions import Action, Progress, Tools, send
from remediator.decide.errands import Errand

_LASTS: Final = timedelta(minutes=3)
"""How long the program may take, and look whether the service stays up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartService(Action):
    """Restarts one service of the node's operating system."""

    service: Service
    """Which one."""
    patience: timedelta = timedelta(minutes=5)
    """How long it may take until the service runs again."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Send for it, or hear what came of it."""
        errand = Errand(program=Program.RESTART_SERVICE, lasts=_LASTS, service=self.service)
        return await send(errand, repair, since, self.patience, tools)
