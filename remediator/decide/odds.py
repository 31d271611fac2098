"""Whether the ledger is at odds with its witnesses: the fences on Nodes and the open repairs.

An admission is in the ledger before a Node or a repair says so, and is taken out of it after they
no longer do. So whatever they say must be there, if the ledger did not change while they were read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedgerStatus
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.decide import marks, plan

_BELIEVED: Final = 10**15
"""No epoch is as high as this: whoever may write a Node must not use up all that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """Something that the ledger must have and lacks."""

    node: str
    message: str


def found(
    status: RepairLedgerStatus, nodes: Iterable[Node], repairs: Iterable[NodeRepair]
) -> list[Odds]:
    """Compare a ledger with all of its witnesses, which were read after it."""
    by_name = {node.metadata.name: node for node in nodes}
    behind = [*_entries(status), *_behind(status, by_name.values(), repairs := tuple(repairs))]
    owing = (
        odds
        for repair in repairs
        for odds in _lacks(status, repair, _fence(by_name.get(repair.spec.target.node)))
    )
    return [*behind, *owing]


def suspected(status: RepairLedgerStatus, node: Node | None, repairs: Iterable[NodeRepair]) -> bool:
    """Say whether the ledger seems to be at odds with one node, by copies that may be old."""
    nodes, known = [node] if node is not None else [], tuple(repairs)
    behind = any(_behind(status, nodes, known))
    return behind or any(odds for repair in known for odds in _lacks(status, repair, _fence(node)))


def is_sound(status: RepairLedgerStatus) -> bool:
    """Say whether the next admission gets an epoch that no entry has."""
    return not any(_entries(status))


def highest(nodes: Iterable[Node], repairs: Iterable[NodeRepair]) -> int:
    """Return the highest epoch that a fence or a repair bears witness to; 0 where there is none."""
    fences = (fence.epoch for node in nodes if (fence := marks.fence_of(node)) is not None)
    epochs = (epoch for repair in repairs for epoch in _epochs(repair))
    return max((each for each in (*fences, *epochs) if each < _BELIEVED), default=0)


def is_evident(nodes: Iterable[Node], repairs: Iterable[NodeRepair]) -> bool:
    """Say whether a ledger that is missing was there once, and may have admitted anything.

    Whatever was admitted may not be on its Node or in its repair yet. But a repair that may act is
    only ever opened where there is a ledger.
    """
    known = tuple(repairs)
    return highest(nodes, known) > 0 or any(each.spec.mode is Mode.ENFORCE for each in known)


def slot_owed(repair: NodeRepair, fence: Fence | None, status: RepairLedgerStatus) -> int:
    """Return the epoch of the slot that the ledger must have for an open repair, or 0.

    Where a person was called, the slot may have been traded for a cordon of the same epoch.
    """
    epoch, node = repair.status.disruption_epoch, repair.spec.target.node
    if fence is not None and fence.hold is Hold.DISRUPTED:
        return max(epoch, fence.epoch)
    if repair.status.phase is not Phase.NEEDS_HUMAN:
        return epoch
    marked = fence is not None and fence.hold is Hold.CORDONED and fence.epoch == epoch
    return 0 if marked or status.cordons.get(node) == epoch else epoch


def _lacks(status: RepairLedgerStatus, repair: NodeRepair, fence: Fence | None) -> Iterator[Odds]:
    """Say which admissions of an open repair are missing; one that ends is giving them back."""
    if not plan.is_open(repair) or repair.status.closing is not None:
        return
    node, name = repair.spec.target.node, repair.metadata.name
    owed, slot = slot_owed(repair, fence, status), status.slots.get(node)
    if owed and (slot is None or slot.epoch < owed):
        yield Odds(node=node, message=f"slot {owed} of {node}, which {name} holds, was missing")
    elif repair.status.cordon_epoch and node not in status.cordons and slot is None:
        message = f"cordon {repair.status.cordon_epoch} of {node}, which {name} holds, was missing"
        yield Odds(node=node, message=message)


def _behind(
    status: RepairLedgerStatus, nodes: Iterable[Node], repairs: Iterable[NodeRepair]
) -> Iterator[Odds]:
    """Find admissions that are newer than the newest that the ledger knows of."""
    for node in nodes:
        fence = marks.fence_of(node)
        if fence is not None and status.epoch < fence.epoch < _BELIEVED:
            name = node.metadata.name
            message = f"Node {name} is at {fence}, and the ledger knew nothing above {status.epoch}"
            yield Odds(node=name, message=message)
    for repair in repairs:
        epoch = max(_epochs(repair))
        if status.epoch < epoch < _BELIEVED:
            message = (
                f"{repair.metadata.name} was given {epoch}, "
                f"and the ledger knew nothing above {status.epoch}"
            )
            yield Odds(node=repair.spec.target.node, message=message)


def _entries(status: RepairLedgerStatus) -> Iterator[Odds]:
    """Find entries of the ledger that are newer than its newest admission."""
    slots = ((name, slot.epoch) for name, slot in status.slots.items())
    for name, epoch in (*status.cordons.items(), *slots):
        if epoch > status.epoch:
            message = f"the entry of {name} had epoch {epoch}, and the ledger {status.epoch}"
            yield Odds(node=name, message=message)


def _epochs(repair: NodeRepair) -> tuple[int, int]:
    return repair.status.cordon_epoch, repair.status.disruption_epoch


def _fence(node: Node | None) -> Fence | None:
    return marks.fence_of(node) if node is not None else None
