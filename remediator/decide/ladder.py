"""What comes next in a repair: its record and fresh facts in, one move out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from nodehealth.fence import Fence, Hold
from nodehealth.repair import ENDED, Closing, Mode, Phase
from remediator.decide import (
    admissions,
    arrivals,
    endings,
    holders,
    joined,
    marks,
    orders,
    parts,
    recurrence,
    remedies,
    requests,
    rungs,
)
from remediator.decide.moves import (
    Climb,
    Cordon,
    Disrupt,
    Finish,
    Inquire,
    Mended,
    Move,
    Prove,
    Reason,
    Release,
    Rest,
    Resume,
    Retake,
    Surrender,
    Trade,
    View,
)


def next_move(view: View) -> Move:
    """Decide what comes next."""
    repair = view.repair
    phase, closing = repair.status.phase, repair.status.closing
    if phase in ENDED:
        return _as_it_is(view)
    if closing is not None:
        return _finish(view, closing)
    wished = requests.granted(view)
    if wished is not None:
        return wished
    joins = joined.joins(view)
    if joins is not None:
        return joins
    if repair.spec.mode is not Mode.ENFORCE:
        return _observe(view)
    move = _STAGES.get(phase, _climb)(view)
    return (holders.keep(view) or move) if isinstance(move, Release) else move


def _finish(view: View, closing: Closing) -> Move:
    """Carry an ending out; whoever came to the node since it was claimed is waited for."""
    kept = holders.keep(view) if closing.phase is not Phase.NEEDS_HUMAN else None
    return kept or Finish(closing=closing)


def _confirmed(view: View) -> Move:
    ended: Move | None = endings.gone(view) or endings.disowned(view) or endings.skipped(view)
    ended = ended or _forbidden(view)
    if admissions.has_slot(view.repair, view.ledger):
        return ended or _inherited(view)
    return ended or _unproven(view) or Cordon()


def _inherited(view: View) -> Move:
    """Take over the slot of a repair of the same name that a person deleted in its midst."""
    return endings.condemned(view) or _unproven(view) or Disrupt()


def _cordoned(view: View) -> Move:
    ended = endings.released(view) or endings.uncordoned(view) or endings.gone(view)
    ended = ended or endings.disowned(view) or endings.skipped(view)
    held = ended or _forbidden(view) or _retake(view) or endings.condemned(view)
    held = held or endings.recurred(view) or _unproven(view)
    return held or _incurable(view) or Disrupt()


def _climb(view: View) -> Move:
    rung = joined.rung(view.repair)
    begun: Move | None = _retake(view) or _replaced(view) or arrivals.greets(view)
    begun = begun or _stopped(view) or endings.recovering(view)
    under_way = rungs.is_under_way(view.repair)
    begun = begun or (None if under_way else endings.doomed(view)) or _unwanted(view)
    return begun or _held_up(view) or Climb(rung=rung)


def _unwanted(view: View) -> Mended | Rest | None:
    """Leave a remedy that only a fault asked for which may not act any more.

    A drain only rests: what it protects must not count as drained.
    """
    status, rung = view.repair.status, joined.rung(view.repair)
    if status.intent is not None or joined.is_wanted(view):
        return None
    message = f"{rung.action} is not carried out: the rule that asked for it may not act"
    if remedies.prepares(rung):
        return Rest(phase=status.phase, reason=Reason.MODE, message=message)
    return Mended(message=message)


def _fencing(view: View) -> Move:
    return _retake(view) or _stopped(view) or _held_up(view) or Prove()


def _held_up(view: View) -> Rest | Resume | None:
    """Begin no step that is forbidden now; what was ordered already is carried through."""
    status, shut = view.repair.status, view.shut
    if shut is not None and not rungs.is_under_way(view.repair):
        return rungs.wait(view.repair, shut, view.now)
    return Resume() if status.held_since is not None else None


def _stopped(view: View) -> Release | Rest | None:
    """Stop for a person or a stricter mode, unless an order to the machine's owner is out."""
    if view.repair.status.intent is not None:
        return None
    return endings.uncordoned(view) or _forbidden(view)


def _parked(view: View) -> Move:
    return endings.parked(view) or _as_it_is(view)


def _verifying(view: View) -> Move:
    seen = endings.released(view) or _opened(view) or _retake(view) or arrivals.greets(view)
    return seen or endings.elsewhere(view) or endings.mended_in_vain(view) or holders.prove(view)


def _opened(view: View) -> Release | None:
    """Give way to who uncordoned what is mended, once no boot that we ordered is still to come.

    A successor that arrives open was never marked by us, so nobody has uncordoned it.
    """
    return None if orders.is_down_by_us(view) else endings.uncordoned(view)


def _hopeless(view: View) -> Move:
    """Keep the slot while an order to the machine's owner is under way, then give it to others."""
    repair, node = view.repair, view.node
    slot = view.ledger.status.slots.get(repair.spec.target.node)
    if slot is None or not admissions.has_slot(repair, view.ledger):
        over = endings.released(view) or endings.taken_away(view) or endings.uncordoned(view)
        return over or holders.given_back(view) or _as_it_is(view)
    if orders.is_open(repair, node):
        fades = orders.may_fade(repair) or orders.may_be_lost(repair, node, view.now)
        return Inquire() if node is None or fades else _as_it_is(view)
    if orders.is_down_by_us(view):
        return Inquire()
    if node is not None and marks.fence_of(node) == Fence(epoch=slot.epoch, hold=Hold.CORDONED):
        return Trade()
    return endings.uncordoned(view) or _retake(view) or _outlived(view) or Trade()


def _outlived(view: View) -> Rest | None:
    """Trade no slot while a Pod of a Job may still run on the node; nobody tells us of its end."""
    until = view.now + rungs.LOOK_AGAIN
    return replace(_as_it_is(view), until=until) if view.lingering else None


def _as_it_is(view: View) -> Rest:
    status = view.repair.status
    return Rest(phase=status.phase, reason=status.reason, message=status.message)


def _observe(view: View) -> Move:
    ended = endings.gone(view) or endings.skipped(view)
    if ended is not None:
        return ended
    if view.allowed is not Mode.OBSERVE or not view.ruled:
        message = f"nothing was done; the rule may now {view.allowed}"
        return Release(reason=Reason.MODE, message=message)
    if view.eclipsed_by:
        message = f"nothing was done; rule {view.eclipsed_by} holds too, and it may act"
        return Release(reason=Reason.ECLIPSED, message=message)
    spec = view.repair.spec
    ladder = ", then ".join(rung.action for rung in spec.ladder)
    condemned = joined.condemned(view.repair)
    if condemned is not None:
        ladder = f"call a person, for {parts.sentence(condemned)}"
    elif spec.recurs is not None:
        ladder = f"{ladder or 'call a person'}, for {recurrence.sentence(spec.recurs)}"
    message = f"would cordon {spec.target.node}, then {ladder}; the mode is observe"
    return Rest(phase=Phase.WAITING, reason=Reason.OBSERVE_ONLY, message=message)


def _forbidden(view: View) -> Rest | None:
    """Begin nothing when the policy or the rule has become stricter meanwhile."""
    if view.allowed is Mode.ENFORCE:
        return None
    message = f"the mode is {view.allowed} now; goes on when it is enforce again"
    return Rest(phase=view.repair.status.phase, reason=Reason.MODE, message=message)


def _unproven(view: View) -> Rest | None:
    """Do nothing to a node without fresh evidence that a fault of it is still there."""
    if joined.holds(view):
        return None
    phase = view.repair.status.phase
    message = "waits for fresh evidence of the fault: it is unknown, or away, or not yet for long"
    return Rest(phase=phase, reason=Reason.EVIDENCE_MISSING, message=message)


def _incurable(view: View) -> Rest | Surrender | None:
    """Begin no remedy of another fault, which may be away, for one that is there and has none."""
    if joined.is_curable(view):
        return None
    if joined.onward(view) is not None:
        message = "waits for fresh evidence: for the fault that is there no remedy is left"
        return Rest(phase=view.repair.status.phase, reason=Reason.EVIDENCE_MISSING, message=message)
    return rungs.surrender(Reason.RECURRED, "no remedy is left for the fault that is there")


def _retake(view: View) -> Retake | None:
    """Put the fence that the ledger grants on a Node that lacks it: one made anew arrives bare."""
    ours = admissions.held(view.repair, view.ledger)
    if ours.disruption:
        fence = Fence(epoch=ours.disruption, hold=Hold.DISRUPTED)
    else:
        fence = Fence(epoch=ours.cordon, hold=Hold.CORDONED)
    if view.node is None:
        return None
    marked = marks.fence_of(view.node) == fence and parts.is_set_apart(view.repair, view.node)
    return None if marked else Retake(fence=fence)


def _replaced(view: View) -> Mended | None:
    """Skip what is left of the ladder when somebody else replaced the machine meanwhile."""
    repair, node = view.repair, view.node
    if node is None or repair.status.intent is not None:
        return None
    if node.metadata.uid == repair.spec.target.node_uid:
        return None
    return Mended(message="the machine was replaced by somebody else")


_STAGES: Final[Mapping[Phase, Callable[[View], Move]]] = {
    Phase.CONFIRMED: _confirmed,
    Phase.CORDONED: _cordoned,
    Phase.WAITING: _cordoned,
    Phase.FENCING: _fencing,
    Phase.VERIFYING: _verifying,
    Phase.NEEDS_HUMAN: _hopeless,
    Phase.PARKED: _parked,
}
"""What decides in a phase; in all others a rung is being carried out."""
