"""Whether a mended node is well: by evidence that is newer than what was done to it last."""

from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.decide import parts, ready, rungs
from remediator.decide.moves import Move, NextRung, Reason, Release, Rest, Surrender, View

VERIFY_PATIENCE: Final = timedelta(minutes=20)
"""How long a mended node may take, beside the rule's own time, before the next rung is tried."""


def verify(view: View) -> Move:
    """Give the node back, wait for more evidence, or go on to the next rung when it takes long.

    While the next rung is forbidden, the node may still prove well.
    """
    status = view.repair.status
    since = status.rung_since or view.now
    until = since + VERIFY_PATIENCE + timedelta(seconds=view.repair.spec.verify_seconds)
    following = _overdue(view) if view.now >= until else None
    if following is not None and not isinstance(following, Rest):
        return following
    reason, message, proven = _unwell(view, _deed(status, since))
    if reason is None:
        return Release(reason=Reason.REPAIRED, message="the node is well and back in service")
    if following is not None:
        return following
    soon = proven if proven is not None and proven > view.now else until
    return Rest(phase=Phase.VERIFYING, reason=reason, message=message, until=min(until, soon))


def _overdue(view: View) -> NextRung | Surrender | Rest:
    """Say what follows when the node was not well in time."""
    why = f"the node was not well in time: {view.repair.status.message}"
    following = rungs.after(view.repair, why)
    if view.shut is None or isinstance(following, Surrender):
        return following
    return rungs.wait(view.repair, view.shut, view.now)


def _deed(status: NodeRepairStatus, since: datetime) -> datetime:
    """Say when the remedy was done: of an order we only know when it was given.

    A program that was sent may take minutes: what was heard until it had ended proves nothing.
    """
    intent = status.intent
    return intent.issued_at if intent is not None and not intent.pod else since


def _unwell(view: View, deed: datetime) -> tuple[Reason | None, str, datetime | None]:
    """Say what is missing for the node to count as mended; evidence must be newer than the deed."""
    well, proven = view.well, None
    reason, message = Reason.NOT_YET_WELL, "waits for the fault's signals to be known and good"
    if view.node is None:
        reason, message = Reason.NODE_ABSENT, "waits for the node to come back"
    elif not ready.is_ready(view.node):
        reason, message = Reason.NODE_NOT_READY, "waits for the node to be Ready"
    elif _lacks_gpus(view.repair, view.node):
        reason = Reason.GPUS_MISSING
        message = f"waits until the node gives all its {view.repair.spec.target.gpus} GPUs again"
    elif not view.ruled:
        message = f"rule {view.repair.spec.rule} is gone, so nothing tells whether the node is well"
    elif well.since is not None and well.heard_at is not None and well.heard_at > deed:
        proven = max(well.since, deed) + timedelta(seconds=view.repair.spec.verify_seconds)
        if view.now >= proven and well.over:
            return None, "", None
        message = f"must stay well until {proven:%H:%M:%S}"
    return reason, message, proven


def _lacks_gpus(repair: NodeRepair, node: Node) -> bool:
    """Say whether the same machine came back with fewer GPUs: a boot hides one that is lost."""
    same = node.metadata.uid == repair.spec.target.node_uid
    return same and parts.gpus(node) < repair.spec.target.gpus
