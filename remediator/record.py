"""The written record of one repair: every change is a compare-and-swap of its status."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import structs

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.repair import (
    LOG_LENGTH,
    NODE_REPAIRS,
    Decision,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
)
from remediator.decide.moves import Reason
from remediator.trail import SILENT, Trail

_TIMELINE_LENGTH: Final = 64
_MESSAGE_LENGTH: Final = 1024


def entered(
    status: NodeRepairStatus,
    phase: Phase,
    reason: str,
    message: str,
    now: datetime,
    *,
    logged: bool = False,
) -> NodeRepairStatus:
    """Return the status with a phase, its reason and its message, noted in timeline and log.

    What is said anew within a phase is only noted in the log where that is asked for.
    """
    text = message[:_MESSAGE_LENGTH]
    timeline, log = status.timeline, status.log
    if phase is not status.phase or not timeline:
        timeline = (*timeline, PhaseTime(phase=phase, at=now))[-_TIMELINE_LENGTH:]
    if logged or (phase, reason) != (status.phase, status.reason) or not log:
        line = f"{phase}{f' ({reason})' if reason else ''}: {message}"[:_MESSAGE_LENGTH]
        log = (*log, Decision(at=now, text=line))[-LOG_LENGTH:]
    asked = status.approval_asked or (now if reason == Reason.NOT_APPROVED else None)
    return structs.replace(
        status,
        phase=phase,
        reason=reason,
        message=text,
        timeline=timeline,
        log=log,
        approval_asked=asked,
    )


class Record:
    """A repair as last read or written, and the way to write it on.

    Args:
        repair: The repair as just read.
        client: The door to the API server.
        clock: The present time.
        entered: Is told of the repair whenever its phase or reason changed.
        trail: Where each decision is written down as well, once it is in the record.
    """

    def __init__(
        self,
        repair: NodeRepair,
        *,
        client: Client,
        clock: Clock,
        entered: Callable[[NodeRepair], None],
        trail: Trail = SILENT,
    ) -> None:
        self.repair = repair
        self._client, self._clock, self._entered, self._trail = client, clock, entered, trail

    async def note(self, status: NodeRepairStatus) -> NodeRepair:
        """Write a status if it is another one.

        Raises:
            nodehealth.kube.errors.ConflictError: somebody else wrote meanwhile.
        """
        before = self.repair.status
        if status != before:
            changed = structs.replace(self.repair, status=status)
            name = self.repair.metadata.name
            self.repair = await self._client.replace(
                NODE_REPAIRS, changed, name=name, subresource="status"
            )
            self._trail.written(structs.replace(changed, status=before), self.repair)
        return self.repair

    async def enter(
        self,
        phase: Phase,
        reason: str,
        message: str,
        *,
        base: NodeRepairStatus | None = None,
        logged: bool = False,
    ) -> None:
        """Write a phase, its reason and its message, over the present status or a changed one."""
        before, now = self.repair.status, self._clock()
        await self.note(entered(base or before, phase, reason, message, now, logged=logged))
        after = self.repair.status
        if (before.phase, before.reason) != (after.phase, after.reason):
            self._entered(self.repair)
