"""What a ledger that was lost must have held: fences on Nodes and open repairs bear witness."""

from collections.abc import Iterable
from datetime import datetime

from nodehealth.fence import Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedgerStatus, Slot
from nodehealth.repair import NodeRepair
from remediator.decide import marks, plan


def rebuilt(
    nodes: Iterable[Node], repairs: Iterable[NodeRepair], now: datetime
) -> RepairLedgerStatus:
    """Put the admissions together, under an epoch above every one that is in use.

    The epoch is 0 where no admission was ever given. What was spent of the rates is not known, so
    every bucket begins empty. Better one entry too many than one too few:
    an entry that nobody holds any more is reaped, and a missing one would let a limit be broken.
    """
    cordons, slots, seen = dict[str, int](), dict[str, Slot](), {0}
    for node in nodes:
        fence = marks.fence_of(node)
        if fence is None:
            continue
        seen.add(fence.epoch)
        if fence.hold is not Hold.RELEASED:
            cordons[node.metadata.name] = fence.epoch
    for repair in repairs:
        status, target = repair.status, repair.spec.target
        seen |= {status.cordon_epoch, status.disruption_epoch}
        if not plan.is_open(repair):
            continue
        if status.cordon_epoch:
            cordons[target.node] = status.cordon_epoch
        if status.disruption_epoch:
            slots[target.node] = Slot(
                epoch=status.disruption_epoch,
                node_uid=target.node_uid,
                repair=repair.metadata.name,
                acquired_at=status.rung_since or now,
                pool=target.pool,
            )
    highest = max(seen)
    return RepairLedgerStatus(
        epoch=highest + 1 if highest else 0, cordons=cordons, slots=slots, known_since=now
    )
