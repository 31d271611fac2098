"""Reboot: have a program on the node boot its machine anew, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.errand import Program
from nodehealth.repair import NodeRepair
from remediator.actions import Action, Progress, Tools, send
from remediator.decide.errands import Errand

LASTS: Final = timedelta(minutes=8)
"""How long the Pod may take to bring the machine down, from the pull of its image on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot(Action):
    """Boots the machine anew; only another boot id and a Ready node count as done."""

    patience: timedelta = timedelta(minutes=20)
    """How long the machine may take to be back and Ready."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Send for it, or look whether the machine is back."""
        errand = Errand(program=Program.REBOOT, lasts=LASTS)
        return await send(errand, repair, since, self.patience, tools)
