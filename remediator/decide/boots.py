"""When the boot that was ordered of a machine is over: seen, or never to come."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from nodehealth.errand import Program
from nodehealth.kube.objects import Node
from nodehealth.repair import BOOTS_LENGTH, Intent, NodeRepair
from remediator.decide import fencing, joined, remedies

BOOT_SHOWS: Final = timedelta(minutes=9)
"""How long after its claim a boot that was ordered may still leave a node Ready: to start the
program, or to reach the machine's owner, and for either to bring the machine down."""
_ORDERS: Final = frozenset({Program.REBOOT, remedies.POWER_CYCLE})
_ENDS: Final = _ORDERS | {fencing.ORDER}
"""What ends a boot, though not all of it begins another one."""


def ordered(intent: Intent | None) -> Intent | None:
    """Return a deed if it has the machine boot anew."""
    return intent if intent is not None and intent.action in _ORDERS else None


def ended(repair: NodeRepair, intent: Intent, node: Node | None) -> tuple[str, ...]:
    """Return the boots that a repair has ended, once it claims a deed.

    Args:
        repair: Whose deed it is.
        intent: The claim.
        node: The Node as it is.
    """
    before, now = repair.status.boots_ended, node.status.node_info.boot_id if node else ""
    boot = intent.boot_id or now
    if intent.action not in _ENDS or not boot:
        return before
    return (*(each for each in before if each != boot), boot)[-BOOTS_LENGTH:]


def by_us(repairs: Iterable[NodeRepair]) -> Mapping[str, str]:
    """Return the boots that repairs of a node ended, and which repair each."""
    return {boot: each.metadata.name for each in repairs for boot in each.status.boots_ended}


def is_over(order: Intent, up: Node | None, now: datetime) -> bool:
    """Say whether a machine that was told to boot anew is up, and goes down for that no more.

    Args:
        order: What it was told.
        up: The Node if it is Ready; nothing else shows that the machine is up.
        now: The present time.
    """
    if up is None:
        return False
    return up.status.node_info.boot_id != order.boot_id or now >= order.issued_at + BOOT_SHOWS


def is_since_found(repair: NodeRepair, node: Node) -> bool:
    """Say whether the machine booted since its repair began, and not because a rung had it boot."""
    began, before = repair.spec.target.boot_id, joined.done(repair)[:-1]
    ours = any(each.action in _ORDERS for each in before)
    return bool(began) and not ours and node.status.node_info.boot_id != began
