"""How many nodes with pods of one gang may be disrupted at once: a slot names whose it may take.

The gangs are claimed in the swap that gives the slot, and those of pods that came to the node later
before they are evicted. A node whose kubelet is silent claims none: whatever ran there is lost
already, and by nothing that we do.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from msgspec import structs

from nodehealth.kube.objects import Node, Pod
from nodehealth.ledger import GANGS_LENGTH, RepairLedger, Slot
from remediator.decide import fencing, gangs
from remediator.decide.limits import Admitted, Refused, Why
from remediator.rules.policy import Policy

ANY: Final = "*"
"""What a slot claims whose node has pods of more gangs than it can name."""
MOST: Final = 2_000
"""How many gangs all slots together may name: the ledger is one small object."""


def of(pods: Iterable[Pod], node: Node | None, policy: Policy, now: datetime) -> AbstractSet[str]:
    """Name the gangs that a slot has to claim for these pods to be taken."""
    if policy.per_gang is None or fencing.is_given_up(node, now, policy.drain):
        return frozenset()
    return gangs.at_stake(pods)


def admitted(
    answer: Admitted | Refused, node: str, wanted: AbstractSet[str], policy: Policy
) -> Admitted | Refused:
    """Have the slot of a node claim gangs, if it may have both."""
    if isinstance(answer, Refused):
        return answer
    slot = answer.ledger.status.slots[node]
    new = wanted - frozenset(slot.gangs)
    if policy.per_gang is None or not new or ANY in slot.gangs:
        return answer
    named = frozenset((*slot.gangs, *new))
    if len(named) > GANGS_LENGTH:
        named = new = frozenset({ANY})
    refused = _refusal(answer.ledger.status.slots, node, new, policy.per_gang)
    if refused is not None:
        return refused
    return Admitted(ledger=_with(answer.ledger, node, tuple(sorted(named))), epoch=answer.epoch)


def extended(
    ledger: RepairLedger, node: str, repair: str, wanted: AbstractSet[str], policy: Policy
) -> Admitted | Refused:
    """Have the slot that a repair holds claim more gangs."""
    slot = ledger.status.slots.get(node)
    if slot is None or slot.repair != repair:
        message = f"{repair} has no disruption slot for {node} any more"
        return Refused(why=Why.LEDGER_AT_ODDS, message=message)
    return admitted(Admitted(ledger=ledger, epoch=slot.epoch), node, wanted, policy)


def _refusal(
    slots: Mapping[str, Slot], node: str, new: AbstractSet[str], most: int
) -> Refused | None:
    others = {name: frozenset(slot.gangs) for name, slot in slots.items() if name != node}
    for gang in sorted(new):
        held = sorted(name for name, theirs in others.items() if _meet(gang, theirs))
        if len(held) >= most:
            return Refused(why=Why.GANG_LIMIT, message=_sentence(node, gang, held, most))
    if sum(map(len, others.values())) + len(new) + len(slots[node].gangs) > MOST:
        message = f"the nodes under repair have pods of {MOST} gangs; waits until some are back"
        return Refused(why=Why.GANG_LIMIT, message=message)
    return None


def _meet(gang: str, theirs: AbstractSet[str]) -> bool:
    return gang in theirs or ANY in theirs or (gang == ANY and bool(theirs))


def _sentence(node: str, gang: str, held: list[str], most: int) -> str:
    whose = f"pods of more than {GANGS_LENGTH} gangs" if gang == ANY else f"pods of gang {gang}"
    named = ", ".join(held[:3]) + (" and others" if len(held) > 3 else "")
    at_once = "one node" if most == 1 else f"{most} nodes"
    return f"{node} has {whose}, and a gang may lose {at_once} at once; under repair: {named}"


def _with(ledger: RepairLedger, node: str, named: tuple[str, ...]) -> RepairLedger:
    slots = ledger.status.slots
    changed = {**slots, node: structs.replace(slots[node], gangs=named)}
    return structs.replace(ledger, status=structs.replace(ledger.status, slots=changed))
