"""Who else holds a node that is to be given back: it is not uncordoned under their hands.

Some of them leave a cordon alone that they found there, others undo any: so we keep ours until they
are gone, and then undo it ourselves.
"""

from datetime import datetime, timedelta
from typing import Final

from nodehealth import quantities
from nodehealth.repair import NodeRepairStatus
from remediator.decide import joined, maintenance, remedies, rungs, verifying
from remediator.decide.moves import Burn, Move, Reason, Release, Rest, Resume, Surrender, View

PATIENCE: Final = timedelta(hours=4)
"""How long whoever has a slot waits for others before a person is called."""
_WAY_OUT: Final = (
    "it is given back when they are gone; if nobody is at work on it, take their mark off, "
    "or uncordon it to have it left alone"
)


def keep(view: View) -> Rest | Surrender | None:
    """Give back nothing that others hold and that would be uncordoned by that."""
    node = view.node
    return _wait(view, maintenance.keeper(node, view.held)) if node is not None else None


def prove(view: View) -> Move:
    """Have a node prove well, but not while others have it: they may take it down themselves.

    Its time stands still meanwhile. A burn-in that has begun is followed.
    """
    status, who = view.repair.status, _at_work(view)
    if status.reason == Reason.HELD_BY_OTHERS and not who:
        return Resume(message="goes on: nobody else is at work on the node")
    move = verifying.verify(view)
    burning = isinstance(move, Burn) and status.burn_in is not None
    if burning or isinstance(move, Release):
        return move
    return _wait(view, who) or move


def given_back(view: View) -> Release | None:
    """Do without the person who was called when those whom we waited for are gone after all."""
    since, node = view.repair.status.rung_since, view.node
    if view.repair.status.reason != Reason.HELD_BY_OTHERS or since is None or node is None:
        return None
    if maintenance.keeper(node, view.held) or verifying.doubt(view, since) is not None:
        return None
    return Release(reason=Reason.REPAIRED, message="the node is well and back in service")


def _at_work(view: View) -> str:
    """Name who else is at work on a node; on one that we ordered away, marks may be our doing."""
    node, target = view.node, view.repair.spec.target
    if node is None:
        return ""
    ordered = joined.rung(view.repair).action == remedies.REPLACE
    if ordered and node.metadata.uid == target.node_uid:
        return ""
    return maintenance.actor(node) or view.held


def _wait(view: View, who: str) -> Rest | Surrender | None:
    """Wait for others; who only holds a cordon does so for as long as they are there."""
    status, name = view.repair.status, view.repair.spec.target.node
    if not who:
        return None
    working, until = status.rung_since is not None, _since(status, view.now) + PATIENCE
    if working and view.now >= until:
        long = quantities.spoken(PATIENCE)
        message = f"{who} has been at work on {name} for {long}, so it is kept; {_WAY_OUT}"
        return Surrender(reason=Reason.HELD_BY_OTHERS, message=message)
    again = view.now + rungs.LOOK_AGAIN
    return Rest(
        phase=status.phase,
        reason=Reason.HELD_BY_OTHERS,
        message=f"{who} is at work on {name}; it is not given back before that is over",
        until=min(again, until) if working else again,
        held=working,
    )


def _since(status: NodeRepairStatus, now: datetime) -> datetime:
    """Say since when they are waited for, whatever else was written down meanwhile."""
    if status.reason != Reason.HELD_BY_OTHERS:
        return now
    said = f"{status.phase} ({status.reason}): "
    lines = (each.at for each in reversed(status.log) if each.text.startswith(said))
    return next(lines, now)
