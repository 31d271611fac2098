"""Reset-gpu: have a program on the node reset the GPUs that the evidence names."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nodehealth.repair import NodeRepair
from remediator.actions import Action, Failed, Progress, Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetGpu(Action):
    """Resets GPUs once whoever holds them has been moved off the node."""

    patience: timedelta = timedelta(minutes=15)
    """How long moving off, resetting and looking whether it worked may take together."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Say that nobody can be sent to a node yet."""
        del repair, since, tools
        return Failed(message="nobody can be sent to a node yet")
