"""Tells people of repairs and faults: a line in the log and an Event on the Node."""

import logging
from dataclasses import dataclass
from typing import Final, Literal

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors, events
from nodehealth.kube.client import Client
from nodehealth.kube.events import Note, Reference
from nodehealth.repair import NodeRepair, Severity
from remediator.decide.faults import Fault
from remediator.decide.noted import Noted

logger = logging.getLogger(__name__)

FAULT_FOUND: Final = "FaultFound"
FAULT_OVER: Final = "FaultOver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tells; nothing that depends on it, so what can't be told is only logged."""

    client: Client
    clock: Clock

    async def noted(self, repair: NodeRepair, found: Noted) -> None:
        """Tell of something that is written in a repair; nothing twice.

        Raises:
            nodehealth.kube.errors.KubeError: it could not be told.
        """
        target, level = repair.spec.target, logging.WARNING if found.warns else logging.INFO
        logger.log(level, "%s: %s: %s", target.node, found.reason, found.message)
        note = Note(
            about=_node(target.node, target.node_uid),
            reason=found.reason,
            message=f"{repair.spec.rule}: {found.message}",
            at=found.at,
            type="Warning" if found.warns else "Normal",
        )
        await events.record(self.client, note)

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
