"""The admissions that a repair has, and whether they let it disrupt its node at this moment."""

from dataclasses import dataclass

from nodehealth.fence import Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair, Phase
from remediator.decide import cycles, marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The admissions that a repair has, as the ledger has them or, once taken out, its record."""

    cordon: int = 0
    disruption: int = 0

    def epochs(self) -> frozenset[int]:
        """Return them as a set."""
        return frozenset({self.cordon, self.disruption} - {0})


def held(repair: NodeRepair, ledger: RepairLedger) -> Held:
    """Find a repair's admissions; one that a crash kept out of its record is in the ledger."""
    node, status = repair.spec.target.node, repair.status
    slot = ledger.status.slots.get(node)
    ours = has_slot(repair, ledger)
    return Held(
        cordon=ledger.status.cordons.get(node) or status.cordon_epoch,
        disruption=slot.epoch if slot and ours else status.disruption_epoch,
    )


def has_slot(repair: NodeRepair, ledger: RepairLedger) -> bool:
    """Say whether the ledger has a disruption slot for a repair."""
    slot = ledger.status.slots.get(repair.spec.target.node)
    return slot is not None and slot.repair == repair.metadata.name


def disruption_refusal(repair: NodeRepair, node: Node | None, ledger: RepairLedger) -> str:
    """Say why this repair may not disrupt its node now; the empty string when it may.

    Asked right before every deed, in this order: the Node was read first, the ledger after it.
    """
    target, epoch = repair.spec.target, repair.status.disruption_epoch
    slot = ledger.status.slots.get(target.node)
    if slot is None or slot.epoch != epoch:
        return f"the ledger has no slot of epoch {epoch} for {target.node}"
    if node is None:
        return ""
    verifies = repair.status.phase is Phase.VERIFYING  # a successor has to prove itself as well
    if node.metadata.uid != target.node_uid and not verifies:
        return f"{target.node} is another machine now"
    fence = marks.fence_of(node)
    if fence is None or fence.epoch != epoch or fence.hold is not Hold.DISRUPTED:
        return f"the fence of {target.node} is {fence or 'absent'}, not {epoch}:disrupted"
    if not node.spec.unschedulable:
        return f"somebody uncordoned {target.node}"
    return cycles.strays(repair, node)
