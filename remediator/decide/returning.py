"""What is given back to the ledger: always, whatever is closed or spent."""

from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import ready


def keeps(ledger: RepairLedger, name: str, node: Node | None) -> bool:
    """Say whether a node that no repair holds keeps its slot: its machine may be worked on.

    It is over when the node is back, or when a person vouches for this very admission. It is over
    at once where the Node is still the one that was only drained: nothing can come for it any more.
    Where the drain was broken off, it is, whatever became of the Node: an empty one may be taken
    away at any time.
    """
    slot = ledger.status.slots.get(name)
    if slot is None or ledger.spec.released.get(name) == slot.epoch:
        return False
    is_same = node is not None and node.metadata.uid == slot.node_uid
    only_drained = slot.only_drains and (is_same or not slot.repair)
    return not only_drained and (node is None or not ready.is_ready(node))


def ordered(ledger: RepairLedger, repair: NodeRepair) -> RepairLedger:
    """Have a repair's slot say that more is done under it than a drain, if it has one."""
    status, node = ledger.status, repair.spec.target.node
    slot = status.slots.get(node)
    if slot is None or slot.repair != repair.metadata.name or not slot.only_drains:
        return ledger
    slots = {**status.slots, node: structs.replace(slot, only_drains=False)}
    return structs.replace(ledger, status=structs.replace(status, slots=slots))


def release(
    ledger: RepairLedger, node: str, epochs: frozenset[int], *, drained: bool = False
) -> RepairLedger:
    """Take a node's entries out, but only those of the epochs that the caller was given.

    Args:
        ledger: The ledger as it is.
        node: Whose entries.
        epochs: Which of them.
        drained: Whether pods were asked to leave until now. What was asked may still be on its way,
            so the slot stays, of no repair, until it is reaped; others begin nothing meanwhile.
    """
    status = ledger.status
    slots, cordons = dict(status.slots), dict(status.cordons)
    if node in slots and slots[node].epoch in epochs:
        slot = slots.pop(node)
        if drained and slot.only_drains:
            slots[node] = structs.replace(slot, repair="")
    if cordons.get(node) in epochs:
        del cordons[node]
    return structs.replace(ledger, status=structs.replace(status, slots=slots, cordons=cordons))


def surrender(ledger: RepairLedger, node: str, epoch: int) -> RepairLedger:
    """Trade a node's slot for a cordon entry of the same epoch; a slot of another epoch stays."""
    status = ledger.status
    if node not in status.slots or status.slots[node].epoch != epoch:
        return ledger
    slots = {name: slot for name, slot in status.slots.items() if name != node}
    changed = structs.replace(status, slots=slots, cordons={**status.cordons, node: epoch})
    return structs.replace(ledger, status=changed)
