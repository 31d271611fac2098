"""What ends a repair before its ladder did: the fault is gone, people wish it, no remedy lasts."""

from datetime import timedelta
from typing import Final

from msgspec import structs

from nodehealth.fence import Hold
from nodehealth.repair import Closing, Mode, NodeRepairStatus, Phase
from remediator.decide import (
    admissions,
    joined,
    marks,
    parts,
    pauses,
    recurrence,
    remedies,
    rungs,
    verifying,
)
from remediator.decide.moves import Reason, Release, Rest, Surrender, View

NAME_PATIENCE: Final = timedelta(minutes=5)
"""How long no Node may have the name of a machine that was replaced: many owners give another."""


def gone(view: View) -> Release | None:
    """Give up before anything was disrupted when there is nothing left to mend."""
    target = view.repair.spec.target
    if view.node is None or view.node.metadata.uid != target.node_uid:
        return _another_machine(view)
    if joined.is_over(view):
        message = "the fault went away before anything was disrupted"
        return Release(reason=Reason.FAULT_GONE, message=message)
    return None


def _another_machine(view: View) -> Release:
    message = f"{view.repair.spec.target.node} is not the machine it was"
    return Release(reason=Reason.NODE_ABSENT, message=message)


def disowned(view: View) -> Release | None:
    """Give a node back that was no more than cordoned when nobody calls it sick any more."""
    spec, others = view.repair.spec, joined.kept(view.repair)
    if view.ruled or others or spec.mode is not Mode.ENFORCE:
        return None
    message = f"rule {spec.rule} was taken away before anything was disrupted"
    return Release(reason=Reason.RULE_GONE, message=message)


def skipped(view: View) -> Release | None:
    """End what has disrupted nothing yet when people look after the node themselves."""
    reason = pauses.skipped(view.node) if view.node is not None else ""
    return Release(reason=Reason.SKIPPED, message=reason) if reason else None


def released(view: View) -> Release | None:
    """Finish what a crash between the two writes of a release has left."""
    fence = marks.fence_of(view.node) if view.node else None
    ours = admissions.held(view.repair, view.ledger)
    if fence is None or fence.hold is not Hold.RELEASED or fence.epoch not in ours.epochs():
        return None
    reason = Reason.REPAIRED if ours.disruption else Reason.FAULT_GONE
    return Release(reason=reason, message="the node is back in service")


def uncordoned(view: View) -> Release | None:
    """Give way to somebody who uncordoned the node while we held it: they may know more."""
    node, ours = view.node, admissions.held(view.repair, view.ledger).epochs()
    if node is None or node.spec.unschedulable or not marks.is_ours(node, ours):
        return None
    message = f"somebody uncordoned {node.metadata.name}; {rungs.WAY_ON}"
    return Release(reason=Reason.UNCORDONED, message=message, phase=Phase.PARKED)


def parked(view: View) -> Release | Rest | None:
    """Wait no longer for people who took a node over, once its fault or its machine is gone.

    They may have taken the successor of the machine: then it is that one that must go. What was
    worked on has to prove well as if we had it still: else it would be taken from them again.
    """
    repair, status, node = view.repair, view.repair.status, view.node
    successor = status.arrival.node_uid if status.arrival is not None else ""
    if node is None or node.metadata.uid not in {repair.spec.target.node_uid, successor}:
        return _another_machine(view)
    if not joined.is_over(view):
        return _unruled(view)
    doubt = verifying.doubt(view, status.rung_since) if status.rung_since is not None else None
    if doubt is None:
        return Release(reason=Reason.FAULT_GONE, message="the fault is over")
    until = doubt.proven if doubt.proven is not None and doubt.proven > view.now else None
    return Rest(phase=status.phase, reason=status.reason, message=status.message, until=until)


def _unruled(view: View) -> Release | None:
    """Wait no longer for the end of a fault that nobody knows any more, if people let go of it."""
    repair = view.repair
    if view.ruled or repair.status.reason not in {Reason.RELEASED, Reason.CANCELLED}:
        return None
    message = f"there is no rule {repair.spec.rule} any more"
    return Release(reason=Reason.RULE_GONE, message=message)


def elsewhere(view: View) -> Release | Rest | None:
    """Wait for no Node of the old name when the machine's successor has joined under another."""
    repair, status = view.repair, view.repair.status
    if view.node is not None or joined.rung(repair).action != remedies.REPLACE:
        return None
    known = status.log[-1:] if status.reason == Reason.NODE_ABSENT else ()
    until = max((line.at for line in known), default=view.now) + NAME_PATIENCE
    if view.now < until:
        message = "the machine was replaced; waits to see whether its successor has its name"
        return Rest(phase=status.phase, reason=Reason.NODE_ABSENT, message=message, until=until)
    name = repair.spec.target.node
    message = (
        f"the machine was replaced, and no Node has the name {name} now: nobody verified that its "
        "successor, which has another, is well"
    )
    return Release(reason=Reason.REPLACED_ELSEWHERE, message=message)


def taken_away(view: View) -> Release | None:
    """Hold nothing any more for a machine that a person took away, or put another one for."""
    repair, node = view.repair, view.node
    if node is None:
        message = f"{repair.spec.target.node} was taken away by somebody else"
        return Release(reason=Reason.NODE_ABSENT, message=message)
    anew = node.metadata.uid != repair.spec.target.node_uid
    if not anew or marks.is_ours(node, admissions.held(repair, view.ledger).epochs()):
        return None
    message = "the machine was replaced by somebody else"
    return Release(reason=Reason.NODE_ABSENT, message=message)


def recovering(view: View) -> Release | Rest | None:
    """Stop draining a node that got well by itself, and give it back once it has proven well."""
    status, created = view.repair.status, view.repair.metadata.creation_timestamp
    since = status.rung_since or created
    if since is None or not joined.aborts(view):
        return None
    doubt = verifying.doubt(view, since)
    if doubt is None:
        message = "the node got well by itself before anything was done to it but a drain"
        return Release(reason=Reason.FAULT_GONE, message=message)
    if doubt.proven is None:
        return None
    message = f"the node got well by itself, so the drain stops; it {doubt.message}"
    until = doubt.proven if doubt.proven > view.now else None
    return Rest(phase=status.phase, reason=Reason.RECOVERING, message=message, until=until)


def condemned(view: View) -> Surrender | None:
    """Try no remedy, or none any more, where a part failed again: none is known to last."""
    counted = (each.fault.condemned for each in joined.counted(view))
    known = (view.repair.spec.condemned, *counted)
    first = next((each for each in known if each is not None), None)
    if first is None or view.repair.status.tries:
        return None
    message = f"{parts.sentence(first)}; {parts.WAY_OUT}"
    return Surrender(reason=Reason.CONDEMNED_PART, message=message)


def recurred(view: View) -> Surrender | None:
    """Leave it at the cordon where the last remedy of the ladder was tried a short time ago."""
    recurs = view.repair.spec.recurs
    if recurs is None or not recurrence.is_exhausted(view.repair):
        return None
    said = f"{recurrence.sentence(recurs)}, and no remedy is left; {recurrence.WAY_OUT}"
    return Surrender(reason=Reason.RECURRED, message=said)


def doomed(view: View) -> Surrender | None:
    """Go no further when a fault joins whose part is condemned; another machine has other parts."""
    node, target = view.node, view.repair.spec.target
    return condemned(view) if node is not None and node.metadata.uid == target.node_uid else None


def mended_in_vain(view: View) -> Surrender | None:
    """Give no node back with a part that is condemned, once a burn-in has ended."""
    burning = view.repair.status.burn_in
    return None if burning is not None and burning.passed_at is None else doomed(view)


def closed(status: NodeRepairStatus, closing: Closing) -> NodeRepairStatus:
    """Return the status of a repair whose ending is done.

    A parked one holds nothing any more, and what it ordered was over before it was let go of.
    """
    ended = structs.replace(status, closing=None)
    if closing.phase is not Phase.PARKED:
        return ended
    return structs.replace(ended, cordon_epoch=0, disruption_epoch=0, intent=None, rebooting=None)
