"""When the boot that was ordered of a machine is over: seen, or never to come."""

from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import Node
from nodehealth.repair import Intent

BOOT_SHOWS: Final = timedelta(minutes=9)
"""How long after its claim a reboot that was ordered may still leave a node Ready: to start the
program, and for the program to bring the machine down."""


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
