"""Whether what was ordered for a machine may still be carried out: nobody lets go of it then."""

from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair
from remediator.decide import boots, fencing, ready, remedies
from remediator.decide.moves import View

LOST_AFTER: Final = timedelta(minutes=15)
"""How old the last claim to replace a machine is, by whichever replica's clock, when no call can
still be on its way to the owner."""


def is_open(repair: NodeRepair, node: Node | None) -> bool:
    """Say whether an order is out, and nothing shows that it was carried out."""
    return is_ordered(repair) and not is_back(repair, node)


def is_ordered(repair: NodeRepair) -> bool:
    """Say whether an order to the machine's owner may still be carried out."""
    intent, proven = repair.status.intent, repair.status.fencing
    off = proven is not None and proven.method is not None
    return intent is not None and not (off and intent.action == fencing.ORDER)


def is_down_by_us(view: View) -> bool:
    """Say whether the boot that an earlier rung ordered has not been seen, and may be under way."""
    order, node = view.repair.status.rebooting, view.node
    up = node if node is not None and ready.is_ready(node) else None
    return order is not None and not boots.is_over(order, up, view.now)


def may_fade(repair: NodeRepair) -> bool:
    """Say whether it shows after a while that nothing comes of the order any more.

    So it is with what a Pod on the node was to do, and with a boot that the owner was asked for.
    """
    intent = repair.status.intent
    return intent is not None and (intent.pod != "" or boots.ordered(intent) is not None)


def may_be_lost(repair: NodeRepair, node: Node | None, now: datetime) -> bool:
    """Say whether an order to replace a machine that is up is lost if its owner knows of none."""
    intent = repair.status.intent
    if intent is None or node is None or not ready.is_ready(node):
        return False
    return intent.action == remedies.REPLACE and now >= intent.issued_at + LOST_AFTER


def given_way(repair: NodeRepair, node: Node | None) -> str:
    """Say what is waited for where somebody uncordoned a machine that something was ordered for.

    They may know more: it is not ordered again. Nothing is said where nobody did that.
    """
    intent, target = repair.status.intent, repair.spec.target
    if intent is None or node is None or node.spec.unschedulable:
        return ""
    if node.metadata.uid != target.node_uid:
        return ""
    order = f"{intent.action}, ordered at {intent.issued_at:%H:%M:%S}"
    return f"somebody uncordoned {target.node}: waits for what comes of {order}; orders no more"


def is_back(repair: NodeRepair, node: Node | None) -> bool:
    """Say whether what was ordered is over: another machine is there, or another boot of it."""
    intent, target = repair.status.intent, repair.spec.target
    if node is None or not ready.is_ready(node):
        return False
    began = (intent.boot_id if intent is not None else "") or target.boot_id
    booted = node.status.node_info.boot_id != began
    asked = may_fade(repair) or (intent is not None and intent.action == fencing.ORDER)
    off_and_on = booted and asked
    return node.metadata.uid != target.node_uid or off_and_on
