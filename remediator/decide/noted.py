"""What Kubernetes Events say of a repair: each decision and each obstacle of its record, once."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from nodehealth.repair import Decision, NodeRepair, Phase
from remediator.decide import obstacles

OBSTRUCTED: Final = "DrainObstructed"
NOTED: Final = "RepairNoted"
"""Of what is written down beside the phases: faults that join, answers to people, successors."""
RECENT: Final = timedelta(minutes=10)
"""How old a decision may be to be told after whoever took it, or led then, did not get to it."""
_WARNINGS: Final = frozenset({Phase.CONFIRMED, Phase.NEEDS_HUMAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One thing to tell."""

    at: datetime
    reason: str
    message: str
    warns: bool = False


def of(repair: NodeRepair) -> Iterator[Noted]:
    """Return all that a record says, each the same whoever reads it."""
    for each in repair.status.log:
        yield _decided(each)
    for at, found in groupby(repair.status.obstacles, attrgetter("since")):
        message = "; ".join(map(obstacles.said, found))
        yield Noted(at=at, reason=OBSTRUCTED, message=message, warns=True)


def untold(repair: NodeRepair, told: Collection[Noted] | None, now: datetime) -> tuple[Noted, ...]:
    """Return what is to be told.

    Args:
        repair: The record as it is.
        told: What was told of it already; nothing where that is not known. Then the last of each
            reason is told, by which an Event shows whether it was told before.
        now: The present time.
    """
    recent = [each for each in of(repair) if now - each.at < RECENT]
    if told is None:
        return tuple({each.reason: each for each in recent}.values())
    return tuple(each for each in recent if each not in told)


def _decided(line: Decision) -> Noted:
    """Tell a line as one of its phase if it is of one."""
    entered, _, message = line.text.partition(": ")
    phase = entered.partition(" (")[0]
    if phase not in set(Phase):
        return Noted(at=line.at, reason=NOTED, message=line.text)
    return Noted(at=line.at, reason=f"Repair{phase}", message=message, warns=phase in _WARNINGS)
