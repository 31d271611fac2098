"""Tells people of repairs and faults: a line in the log and an Event on the Node."""

import logging
from dataclasses import dataclass
from typing import Final, Literal

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors, events
from nodehealth.kube.client import Client
from nodehealth.kube.events import Note, Reference
from nodehealth.repair import NodeRepair, Phase, Severity
from remediator.decide import obstacles
from remediator.decide.faults import Fault

logger = logging.getLogger(__name__)

FAULT_FOUND: Final = "FaultFound"
FAULT_OVER: Final = "FaultOver"
OBSTRUCTED: Final = "DrainObstructed"
_WARNINGS: Final = frozenset({Phase.CONFIRMED, Phase.NEEDS_HUMAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tells; nothing that depends on it, so what can't be told is only logged."""

    client: Client
    clock: Clock

    async def phase(self, repair: NodeRepair) -> None:
        """Tell of the phase that a repair has entered, or what stands in the way of its drain."""
        target, status = repair.spec.target, repair.status
        if status.phase is Phase.DRAINING and status.obstacles:
            await self._obstructed(repair)
            return
        reason = f" ({status.reason})" if status.reason else ""
        logger.info("%s: %s%s: %s", target.node, status.phase, reason, status.message)
        kind: Literal["Normal", "Warning"] = "Warning" if status.phase in _WARNINGS else "Normal"
        about = _node(target.node, target.node_uid)
        await self._note(
            about, f"Repair{status.phase}", f"{repair.spec.rule}: {status.message}", kind
        )

    async def _obstructed(self, repair: NodeRepair) -> None:
        target, found = repair.spec.target, repair.status.obstacles
        newest = (each for each in found if each.since == found[-1].since)
        message = "; ".join(map(obstacles.said, newest))
        logger.warning("%s: the drain is obstructed: %s", target.node, message)
        about = _node(target.node, target.node_uid)
        await self._note(about, OBSTRUCTED, f"{repair.spec.rule}: {message}", "Warning")

    async def fault(self, fault: Fault) -> None:
        """Tell of a fault that nothing but people will mend."""
        message = f"{fault.rule}: {'; '.join(fault.evidence)}. {fault.about}"
        logger.info("%s: %s fault %s", fault.node, fault.severity, message)
        kind: Literal["Normal", "Warning"] = (
            "Normal" if fault.severity is Severity.INFO else "Warning"
        )
        await self._note(_node(fault.node, fault.node_uid), FAULT_FOUND, message, kind)

    async def fault_over(self, fault: Fault) -> None:
        """Tell that such a fault went away."""
        message = f"{fault.rule}: over; the signals are good again, or node or rule are gone"
        logger.info("%s: %s", fault.node, message)
        await self._note(_node(fault.node, fault.node_uid), FAULT_OVER, message, "Normal")

    async def _note(
        self, about: Reference, reason: str, message: str, kind: Literal["Normal", "Warning"]
    ) -> None:
        note = Note(about=about, reason=reason, message=message, at=self.clock(), type=kind)
        try:
            await events.record(self.client, note)
        except errors.KubeError as failed:
            logger.warning("%s: could not write an Event: %s", about.name, failed)


def _node(name: str, uid: str) -> Reference:
    return Reference(api_version="v1", kind="Node", name=name, uid=uid)
