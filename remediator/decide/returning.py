"""What is given back to the ledger: always, whatever is closed or spent."""

from msgspec import structs

from nodehealth.ledger import RepairLedger


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
