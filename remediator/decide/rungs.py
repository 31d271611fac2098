"""What follows when a rung of the ladder ended, well or badly, or may not go on for a while."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase, PhaseTime
from remediator.decide import fencing, joined
from remediator.decide.limits import Refused
from remediator.decide.moves import Mended, NextRung, Reason, Rest, Strand, Surrender, View

LOOK_AGAIN: Final = timedelta(seconds=30)
"""How often to look whether a step is allowed again, although nothing in the ledger changed."""
_SOONEST: Final = timedelta(seconds=1)
"""How soon at the earliest, should our clock and the API server's differ about an end."""
FENCING_ROUNDS: Final = 2
"""How often a kubelet may fall silent in a drain, which begins anew when it is back."""
_KEY_LENGTH: Final = 32
_ENDS: Final = frozenset({Phase.NEEDS_HUMAN, Phase.PARKED})
_WAY_OUT: Final = (
    "uncordon the node to have it left alone, or `nodemend repairs retry` to have it repaired anew"
)
WAY_ON: Final = "`nodemend repairs retry` has the node repaired after all"


def key(repair: NodeRepair, *words: str) -> str:
    """Name something of the present rung: when a person has the ladder begun anew, it is another.

    Args:
        repair: Whose rung it is.
        words: What is named, among all there is of that rung.
    """
    again = (str(repair.status.tries),) if repair.status.tries else ()
    seed = "|".join((repair.metadata.uid, str(repair.status.rung), *again, *words))
    return hashlib.sha256(seed.encode()).hexdigest()[:_KEY_LENGTH]


def done(view: View, message: str, *, mends: bool) -> NextRung | Mended:
    """Go on after a rung that did its work: a rung that only prepares leads to the next one."""
    following = None if mends else joined.onward(view)
    if following is None:
        return Mended(message=message)
    return NextRung(rung=following, message=message)


def after(view: View, why: str, *, mends: bool = True) -> NextRung | Surrender:
    """Go one rung up after a remedy that failed, or call a person.

    A rung that only prepares, as a drain does, protects what the next one would destroy: when it
    fails, nobody but a person may go on.
    """
    if not mends:
        return surrender(Reason.PREPARATION_FAILED, why)
    return climbed(view, why)


def stranded(view: View, why: str) -> Strand | Surrender:
    """Go on where pods never end by themselves: a machine is switched off only to be mended."""
    rounds = _fenced(view.repair.status.timeline)
    if rounds >= FENCING_ROUNDS:
        message = f"{why}; it has come back {rounds} times, so the drain would never end"
        return surrender(Reason.PREPARATION_FAILED, message)
    if joined.onward(view) is not None:
        return Strand(message=why)
    message = f"{why}; no rung follows that would mend the machine"
    return surrender(Reason.PREPARATION_FAILED, message)


def _fenced(timeline: Iterable[PhaseTime]) -> int:
    """Count how often a machine was fenced since a person had the ladder begun anew."""
    rounds = 0
    for each in timeline:
        rounds = 0 if each.phase in _ENDS else rounds + (each.phase is Phase.FENCING)
    return rounds


def climbed(view: View, message: str) -> NextRung | Surrender:
    """Go on to the next remedy of a fault that is not over, or call a person."""
    following = joined.onward(view)
    if following is None:
        return surrender(Reason.LADDER_EXHAUSTED, f"{message}; no remedy is left on the ladder")
    return NextRung(rung=following, message=message)


def surrender(reason: Reason, why: str) -> Surrender:
    """Call a person, and say what they can do."""
    return Surrender(reason=reason, message=f"{why}; {_WAY_OUT}")


def is_under_way(repair: NodeRepair) -> bool:
    """Say whether something was ordered, which is carried through whatever is forbidden meanwhile.

    Each pass of a drain is a step of its own: what was evicted already ends by itself. A burn-in
    disturbs nobody, and is how a node comes back.
    """
    status = repair.status
    if status.burn_in is not None:
        return True
    ordered = status.intent.action if status.intent is not None else ""
    if status.phase is Phase.FENCING:
        proven = status.fencing is not None and status.fencing.method is not None
        return proven or ordered == fencing.ORDER
    return ordered not in {"", fencing.ORDER}


def wait(repair: NodeRepair, shut: Refused, now: datetime) -> Rest:
    """Wait for a step to be allowed again: the slot is kept, the phase stays."""
    until = now + (shut.after or LOOK_AGAIN)
    if shut.until is not None:
        until = min(until, max(shut.until, now + _SOONEST))
    return Rest(
        phase=repair.status.phase, reason=shut.why, message=shut.message, until=until, held=True
    )


def held_up(status: NodeRepairStatus, now: datetime) -> NodeRepairStatus:
    """Let the time of a rung stand still from now on."""
    return structs.replace(status, held_since=status.held_since or now)


def resumed(status: NodeRepairStatus, now: datetime) -> NodeRepairStatus:
    """Let the time of a rung go on: it has as much left as when it was held up."""
    if status.held_since is None:
        return status
    stood = max(now - status.held_since, timedelta())
    began, fenced = status.rung_since, status.fencing
    return structs.replace(
        status,
        held_since=None,
        held_seconds=status.held_seconds + round(stood.total_seconds()),
        rung_since=began + stood if began is not None else None,
        fencing=structs.replace(fenced, since=fenced.since + stood) if fenced is not None else None,
    )
