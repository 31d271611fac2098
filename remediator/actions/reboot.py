"""Reboot: have a program on the node boot its machine anew, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nodehealth.repair import NodeRepair
from remediator.actions import Action, Failed, Progress, Tools


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
        """Say that nobody can be sent to a node yet."""
        del repair, since, tools
        return Failed(message="nobody can be sent to a node yet")
