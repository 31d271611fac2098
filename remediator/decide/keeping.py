"""How long ended repairs are kept to look back at, and which of them nobody needs any more."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from nodehealth.repair import NodeRepair
from remediator.decide import parts, plan
from remediator.rules.policy import Policy

KEPT: Final = 5
"""How many ended repairs of a node are kept to look back at."""
KEPT_FOR: Final = timedelta(days=7)
"""How long they are kept when the node is gone: many never come back under their name."""
CROWD: Final = 2000
"""How many repairs may be kept before those of nodes that are gone are forgotten earlier."""


def outdated(past: Iterable[NodeRepair], policy: Policy, now: datetime) -> list[NodeRepair]:
    """Return the ended repairs of a node that nobody needs any more, the oldest first.

    Those that count against a part of it are kept besides the last ones, as many again at most.
    """
    ended = sorted((each for each in past if not plan.is_open(each)), key=plan.age)
    old = ended[: max(0, len(ended) - KEPT)]
    counting = [each for each in old if parts.bears_witness(each, policy.condemned, now)]
    return [each for each in old if each not in counting[-KEPT:]]


def kept_until(
    repair: NodeRepair, policy: Policy, now: datetime, *, crowded: bool = False
) -> datetime:
    """Say how long an ended repair is kept to look back at when its node is gone.

    Args:
        repair: What has ended.
        policy: How long it counts against its parts, which may come back under another name.
        now: The present time.
        crowded: Whether so many are kept that those have to do which are young.
    """
    ended = parts.ended_at(repair, now)
    counts = not crowded and parts.bears_witness(repair, policy.condemned, now)
    return ended + max(KEPT_FOR, policy.condemned.within if counts else KEPT_FOR)
