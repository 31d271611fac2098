"""What is given back to the ledger: always, whatever is closed or spent."""

from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from remediator.decide import ready


def keeps(ledger: RepairLedger, name: str, node: Node | None) -> bool:
    """Say whether a node that no repair holds keeps its slot: its machine may be worked on.

    It is over when the node is back, or when a person vouches for this very admission.
    """
    slot = ledger.status.slots.get(name)
    if slot is None or ledger.spec.released.get(name) == slot.epoch:
        return False
    return node is None or not ready.is_ready(node)


def release(ledger: RepairLedger, node: str, epochs: frozenset[int]) -> RepairLedger:
    """Take a node's entries out, but only those of the epochs that the caller was given."""
    status = ledger.status
    slots, cordons = dict(status.slots), dict(status.cordons)
    if node in slots and slots[node].epoch in epochs:
        del slots[node]
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
