"""When the boot that was ordered of a machine is over: seen, or never to come."""

from datetime import datetime, timedelta
from typing import Final

from nodehealth.errand import Program
from nodehealth.kube.objects import Node
from nodehealth.repair import Intent, NodeRepair
from remediator.decide import joined, remedies

BOOT_SHOWS: Final = timedelta(minutes=9)
"""How long after its claim a boot that was ordered may still leave a node Ready: to start the
program, or to reach the machine's owner, and for either to bring the machine down."""
_ORDERS: Final = frozenset({Program.REBOOT, remedies.POWER_CYCLE})


def ordered(intent: Intent | None) -> Intent | None:
    """Return a deed if it has the machine boot anew."""
    return intent if intent is not None and intent.action in _ORDERS else None


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
