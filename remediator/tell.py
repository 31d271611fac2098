"""Tells people what happened to a repair: a line in the log and an Event on the Node."""

import logging
from dataclasses import dataclass
from typing import Final, Literal

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors, events
from nodehealth.kube.client import Client
from nodehealth.kube.events import Note, Reference
from nodehealth.repair import NodeRepair, Phase

logger = logging.getLogger(__name__)

_WARNINGS: Final = frozenset({Phase.CONFIRMED, Phase.NEEDS_HUMAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tells; nothing that depends on it, so what can't be told is only logged."""

    client: Client
    clock: Clock

    async def phase(self, repair: NodeRepair) -> None:
        """Tell of the phase that a repair has entered."""
        target, status = repair.spec.target, repair.status
        reason = f" ({status.reason})" if status.reason else ""
        logger.info("%s: %s%s: %s", target.node, status.phase, reason, status.message)
        kind: Literal["Normal", "Warning"] = "Warning" if status.phase in _WARNINGS else "Normal"
        note = Note(
            about=Reference(api_version="v1", kind="Node", name=target.node, uid=target.node_uid),
            reason=f"Repair{status.phase}",
            message=f"{repair.spec.rule}: {status.message}",
            at=self.clock(),
            type=kind,
        )
        try:
            await events.record(self.client, note)
        except errors.KubeError as failed:
            logger.warning("%s: could not write an Event: %s", target.node, failed)
