"""What follows when a rung of the ladder ended, well or badly."""

from typing import Final

from nodehealth.repair import NodeRepair
from remediator.decide.moves import Mended, NextRung, Reason, Strand, Surrender

_WAY_OUT: Final = (
    "uncordon the node to have it left alone, or delete this NodeRepair to have it repaired anew"
)
WAY_ON: Final = "delete this NodeRepair to have the node repaired after all"


def done(repair: NodeRepair, message: str, *, mends: bool) -> NextRung | Mended:
    """Go on after a rung that did its work: a rung that only prepares leads to the next one."""
    if mends or not _has_next(repair):
        return Mended(message=message)
    return climbed(repair, message)


def after(repair: NodeRepair, why: str, *, mends: bool = True) -> NextRung | Surrender:
    """Go one rung up after a remedy that failed, or call a person.

    A rung that only prepares, as a drain does, protects what the next one would destroy: when it
    fails, nobody but a person may go on.
    """
    if not mends:
        return surrender(Reason.PREPARATION_FAILED, why)
    if _has_next(repair):
        return climbed(repair, why)
    return surrender(Reason.LADDER_EXHAUSTED, f"{why}; no remedy is left on the ladder")


def stranded(repair: NodeRepair, why: str) -> Strand | Surrender:
    """Go on where pods never end by themselves: a machine is switched off only to be mended."""
    if _has_next(repair):
        return Strand(message=why)
    message = f"{why}; no rung follows that would mend the machine"
    return surrender(Reason.PREPARATION_FAILED, message)


def climbed(repair: NodeRepair, message: str) -> NextRung:
    """Go one rung up."""
    return NextRung(rung=repair.status.rung + 1, message=message)


def surrender(reason: Reason, why: str) -> Surrender:
    """Call a person, and say what they can do."""
    return Surrender(reason=reason, message=f"{why}; {_WAY_OUT}")


def _has_next(repair: NodeRepair) -> bool:
    return repair.status.rung + 1 < len(repair.spec.ladder)
