"""What a ledger that was lost must have held: fences on Nodes and open repairs bear witness."""

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from msgspec import structs

from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import (
    CORDONS_LENGTH,
    FOUND_LENGTH,
    GANGS_LENGTH,
    SLOTS_LENGTH,
    Rebuilt,
    RepairLedgerStatus,
    Slot,
)
from nodehealth.repair import NodeRepair, Phase
from remediator.decide import claims, gangs, marks, odds, plan

T = TypeVar("T")

_NOTHING: Final = RepairLedgerStatus()
_LONGEST: Final = 1024


def rebuilt(
    nodes: Iterable[Node],
    repairs: Iterable[NodeRepair],
    now: datetime,
    known: RepairLedgerStatus = _NOTHING,
    found: Iterable[str] = (),
) -> RepairLedgerStatus:
    """Put the admissions together, under an epoch above every one that is in use.

    The epoch is 0 where no admission was ever given and nothing was found. What was spent of the
    rates is not known, so every bucket begins empty. Better one entry too many than one too few:
    an entry that nobody holds any more is reaped, and a missing one would let a limit be broken.

    Args:
        nodes: All Nodes.
        repairs: All repairs, ended ones too.
        now: The time by the API server's clock.
        known: What the ledger still says; all of it is kept that is not over for certain.
        found: Why it is put together anew, as sentences.
    """
    all_nodes, all_repairs = tuple(nodes), tuple(repairs)
    fences = {
        node.metadata.name: fence
        for node in all_nodes
        if (fence := marks.fence_of(node)) is not None
    }
    ours = [each for each in all_repairs if plan.is_open(each)]
    slots = {
        node.metadata.name: _unclaimed(node, fence.epoch, now)
        for node in all_nodes
        if (fence := _unknown(node, known)) is not None
    }
    for each in ours:
        node = each.spec.target.node
        epoch = odds.slot_owed(each, fences.get(node), known)
        if epoch and epoch >= (slots[node].epoch if node in slots else 0):
            slots[node] = _slot(each, epoch, now, known.slots.get(node))
    held = {name: fence.epoch for name, fence in fences.items() if fence.hold is not Hold.RELEASED}
    cordons = {**held, **_cordons(ours, slots)}
    entries = (*known.cordons.values(), *(slot.epoch for slot in known.slots.values()))
    highest = max(odds.highest(all_nodes, all_repairs), known.epoch, *entries)
    said = tuple(each[:_LONGEST] for each in itertools.islice(found, FOUND_LENGTH))
    return RepairLedgerStatus(
        epoch=highest + 1 if highest or said else 0,
        cordons=_together(cordons, known.cordons, CORDONS_LENGTH),
        slots=_together(slots, _kept(known, fences, all_repairs), SLOTS_LENGTH),
        breakers=known.breakers,
        changes=known.changes,
        known_since=now,
        rebuilt=Rebuilt(at=now, found=said) if said else None,
    )


def _cordons(repairs: Iterable[NodeRepair], slots: Mapping[str, Slot]) -> Mapping[str, int]:
    """Return the cordons of open repairs; one that a slot was traded for has the slot's epoch."""
    cordons = dict[str, int]()
    for repair in repairs:
        node, status = repair.spec.target.node, repair.status
        traded = status.phase is Phase.NEEDS_HUMAN and status.disruption_epoch and node not in slots
        epoch = status.disruption_epoch if traded else status.cordon_epoch
        if epoch:
            cordons[node] = epoch
    return cordons


def _slot(repair: NodeRepair, epoch: int, now: datetime, known: Slot | None) -> Slot:
    """Make a slot anew."""
    target = repair.spec.target
    return Slot(
        epoch=epoch,
        node_uid=target.node_uid,
        repair=repair.metadata.name,
        acquired_at=repair.status.rung_since or now,
        pool=target.pool,
        domains=target.domains,
        gangs=_claimed(repair, epoch, known),
    )


def _claimed(repair: NodeRepair, epoch: int, known: Slot | None) -> tuple[str, ...]:
    """Name whose pods a slot may take: any, where nobody knows which it had claimed."""
    if known is None or known.epoch != epoch:
        return (claims.ANY,)
    taken = (f"{each.namespace}/{each.gang}" for each in repair.status.evictions if each.gang)
    named = tuple(sorted({*known.gangs, *taken}))
    fits = len(named) <= GANGS_LENGTH and all(len(each) <= gangs.LONGEST for each in named)
    return named if fits else (claims.ANY,)


def _unknown(node: Node, known: RepairLedgerStatus) -> Fence | None:
    """Return the fence of a disruption that the ledger knows nothing of."""
    fence, slot = marks.fence_of(node), known.slots.get(node.metadata.name)
    if fence is None or fence.hold is not Hold.DISRUPTED:
        return None
    return fence if slot is None or slot.epoch < fence.epoch else None


def _unclaimed(node: Node, epoch: int, now: datetime) -> Slot:
    """Return the slot of a node whose repair may be gone."""
    return Slot(
        epoch=epoch,
        node_uid=node.metadata.uid,
        repair=marks.held_for(node),
        acquired_at=now,
        gangs=(claims.ANY,),
    )


def _kept(
    known: RepairLedgerStatus, fences: Mapping[str, Fence], repairs: Iterable[NodeRepair]
) -> Mapping[str, Slot]:
    """Return the slots that are not over for certain: by their Node's fence, or their repair.

    That one only drains may be old news, unless its repair has ended with that.
    """
    ended = {each.metadata.name for each in repairs if not plan.is_open(each)}
    return {
        name: structs.replace(slot, only_drains=slot.only_drains and not slot.repair)
        for name, slot in known.slots.items()
        if slot.repair not in ended and not _is_past(slot, fences.get(name))
    }


def _is_past(slot: Slot, fence: Fence | None) -> bool:
    if fence is None or fence.epoch < slot.epoch:
        return False
    return fence.epoch > slot.epoch or fence.hold is not Hold.DISRUPTED


def _together(witnessed: Mapping[str, T], known: Mapping[str, T], most: int) -> Mapping[str, T]:
    """Return what is witnessed, and of what is only known as much as there is room for."""
    only_known = {name: each for name, each in known.items() if name not in witnessed}
    return dict(itertools.islice({**witnessed, **only_known}.items(), most))
