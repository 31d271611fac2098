"""Whether a mended node is well: by evidence that is newer than what was done to it last."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import Node
from nodehealth.repair import BurnIn, NodeRepair, NodeRepairStatus, Phase
from remediator.decide import boots, burnins, joined, parts, ready, rungs
from remediator.decide.moves import (
    Burn,
    Move,
    NextRung,
    Reason,
    Release,
    Rest,
    Surrender,
    View,
    Wellness,
)

VERIFY_PATIENCE: Final = timedelta(minutes=20)
"""How long a mended node may take, beside the rule's own time, before the next rung is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is missing for a node to count as well."""

    reason: Reason
    message: str
    proven: datetime | None = None
    """When it counts as well, if nothing else is heard before."""
    unheard: bool = False
    """Whether nobody tells us when it is over, so that we have to look again."""


def verify(view: View) -> Move:
    """Give the node back, wait for more evidence, or go on to the next rung when it takes long.

    While the next rung is forbidden, the node may still prove well.
    """
    status, burning = view.repair.status, view.repair.status.burn_in
    under_way = burnins.under_way(view.repair)
    if under_way is not None:
        return Burn(wanted=under_way)
    since = status.rung_since or view.now
    began = burning.passed_at if burning is not None and burning.passed_at else since
    until = began + VERIFY_PATIENCE + joined.verify(view)
    following = _overdue(view) if view.now >= until else None
    if following is not None and not isinstance(following, Rest):
        return following
    deed = _deed(status, since)
    found = doubt(view, deed)
    wanted = burnins.following(view)
    if found is None and wanted is not None:
        return Burn(wanted=wanted)
    if found is None:
        return Release(reason=Reason.REPAIRED, message="the node is well and back in service")
    following = following or _further(view, deed)
    if following is not None:
        return following
    soon = found.proven if found.proven is not None and found.proven > view.now else until
    soon = view.now + rungs.LOOK_AGAIN if found.unheard else soon
    return Rest(
        phase=Phase.VERIFYING, reason=found.reason, message=found.message, until=min(until, soon)
    )


def longest(verify: timedelta, burn_ins: Iterable[BurnIn]) -> timedelta:
    """Return after how long a node is known to be well, or not to be, once its remedy was done.

    Args:
        verify: How long it must be well.
        burn_ins: What it has to pass; what it may take begins anew after each.
    """
    once = VERIFY_PATIENCE + verify
    return sum((burnins.task(each).longest + once for each in burn_ins), once)


def doubt(view: View, deed: datetime) -> Doubt | None:
    """Say what is missing; evidence of each fault must be newer than the deed."""
    found = _of_node(view)
    return found if found is not None else next(_of_faults(view, deed), None)


def _overdue(view: View) -> NextRung | Surrender | Rest:
    """Say what follows when the node was not well in time."""
    why = f"the node was not well in time: {view.repair.status.message}"
    return _unless_shut(view, rungs.after(view, why))


def _unless_shut(view: View, following: NextRung | Surrender) -> NextRung | Surrender | Rest:
    if view.shut is None or isinstance(following, Surrender):
        return following
    return rungs.wait(view.repair, view.shut, view.now)


def _deed(status: NodeRepairStatus, since: datetime) -> datetime:
    """Say when the remedy was done: of an order we only know when it was given.

    A program that was sent may take minutes: what was heard until it had ended proves nothing.
    Neither does what was heard before the boot that was ordered.
    """
    intent = status.intent
    seen_done = intent is None or intent.pod or boots.ordered(intent) is not None
    return since if intent is None or seen_done else intent.issued_at


def _of_node(view: View) -> Doubt | None:
    if view.node is None:
        message = "waits for the node to come back"
        return Doubt(reason=Reason.NODE_ABSENT, message=message)
    if not ready.is_ready(view.node):
        return Doubt(reason=Reason.NODE_NOT_READY, message="waits for the node to be Ready")
    if view.lingering:
        message = f"waits until {view.lingering} has ended, which a Job left behind on the node"
        return Doubt(reason=Reason.JOB_LINGERS, message=message, unheard=True)
    if _lacks_gpus(view.repair, view.node):
        gpus = view.repair.spec.target.gpus
        message = f"waits until the node gives all its {gpus} GPUs again"
        return Doubt(reason=Reason.GPUS_MISSING, message=message)
    return None


def _of_faults(view: View, deed: datetime) -> Iterator[Doubt]:
    """Yield what is missing of each fault, the leading one first."""
    leading = _of_leading(view, deed)
    if leading is not None:
        yield leading
    for each in joined.counted(view):
        found = _of_fault(view, each.well, deed, f"{each.fault.rule}'s")
        if found is not None:
            yield found


def _of_leading(view: View, deed: datetime) -> Doubt | None:
    if not view.ruled:
        message = f"rule {view.repair.spec.rule} is gone, so nothing tells whether the node is well"
        return Doubt(reason=Reason.NOT_YET_WELL, message=message)
    return _of_fault(view, view.well, deed, "the fault's")


def _of_fault(view: View, well: Wellness, deed: datetime, whose: str) -> Doubt | None:
    if well.since is None or well.heard_at is None or well.heard_at <= deed:
        message = f"waits for {whose} signals to be known and good"
        return Doubt(reason=Reason.NOT_YET_WELL, message=message)
    proven = max(well.since, deed) + joined.verify(view)
    if view.now >= proven and well.over:
        return None
    message = f"must stay well until {proven:%H:%M:%S}"
    return Doubt(reason=Reason.NOT_YET_WELL, message=message, proven=proven)


def _further(view: View, deed: datetime) -> NextRung | Surrender | Rest | None:
    """Go on for a fault that joined, once it is known that the remedy mended the leading one only.

    As much time as proves a node well proves that a fault outlived what was done.
    """
    if _of_node(view) or _of_leading(view, deed):
        return None
    still = (each for each in joined.counted(view) if each.well.holds)
    known = [each for each in still if each.well.heard_at and each.well.heard_at > deed]
    following = joined.onward(view) if known else None
    if following is None:
        return None
    message = f"{view.repair.spec.rule} is over, but {known[0].fault.rule} still holds"
    return _unless_shut(view, NextRung(rung=following, message=message))


def _lacks_gpus(repair: NodeRepair, node: Node) -> bool:
    """Say whether the same machine came back with fewer GPUs: a boot hides one that is lost."""
    same = node.metadata.uid == repair.spec.target.node_uid
    return same and parts.gpus(node) < repair.spec.target.gpus
