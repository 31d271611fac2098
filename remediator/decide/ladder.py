"""What comes next in a repair: its record and fresh facts in, one move out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from msgspec import structs

from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import ENDED, Closing, Mode, NodeRepair, NodeRepairStatus, Phase
from remediator.decide import (
    arrivals,
    cycles,
    joined,
    marks,
    orders,
    parts,
    pauses,
    recurrence,
    remedies,
    requests,
    rungs,
    verifying,
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

NAME_PATIENCE: Final = timedelta(minutes=5)
"""How long no Node may have the name of a machine that was replaced: many owners give another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The admissions that a repair has, as the ledger has them or, once taken out, its record."""

    cordon: int = 0
    disruption: int = 0

    def epochs(self) -> frozenset[int]:
        """Return them as a set."""
        return frozenset({self.cordon, self.disruption} - {0})


def held(repair: NodeRepair, ledger: RepairLedger) -> Held:
    """Find a repair's admissions; one that a crash kept out of its record is in the ledger."""
    node, status = repair.spec.target.node, repair.status
    slot = ledger.status.slots.get(node)
    ours = has_slot(repair, ledger)
    return Held(
        cordon=ledger.status.cordons.get(node) or status.cordon_epoch,
        disruption=slot.epoch if slot and ours else status.disruption_epoch,
    )


def has_slot(repair: NodeRepair, ledger: RepairLedger) -> bool:
    """Say whether the ledger has a disruption slot for a repair."""
    slot = ledger.status.slots.get(repair.spec.target.node)
    return slot is not None and slot.repair == repair.metadata.name


def closed(status: NodeRepairStatus, closing: Closing) -> NodeRepairStatus:
    """Return the status of a repair whose ending is done.

    A parked one holds nothing any more, and what it ordered was over before it was let go of.
    """
    ended = structs.replace(status, closing=None)
    if closing.phase is not Phase.PARKED:
        return ended
    return structs.replace(ended, cordon_epoch=0, disruption_epoch=0, intent=None, rebooting=None)


def next_move(view: View) -> Move:
    """Decide what comes next."""
    repair = view.repair
    phase, closing = repair.status.phase, repair.status.closing
    if phase in ENDED:
        return _as_it_is(view)
    if closing is not None:
        return Finish(closing=closing)
    wished = requests.granted(view)
    if wished is not None:
        return wished
    joins = joined.joins(view)
    if joins is not None:
        return joins
    if repair.spec.mode is not Mode.ENFORCE:
        return _observe(view)
    return _STAGES.get(phase, _climb)(view)


def _confirmed(view: View) -> Move:
    ended = _gone(view) or _disowned(view) or _skipped(view) or _forbidden(view)
    if has_slot(view.repair, view.ledger):
        return ended or _inherited(view)
    return ended or _unproven(view) or Cordon()


def _inherited(view: View) -> Move:
    """Take over the slot of a repair of the same name that a person deleted in its midst."""
    return _condemned(view) or _unproven(view) or Disrupt()


def _cordoned(view: View) -> Move:
    ended = _released(view) or _uncordoned(view) or _gone(view) or _disowned(view)
    ended = ended or _skipped(view)
    held = ended or _forbidden(view) or _retake(view) or _condemned(view)
    held = held or _recurred(view) or _unproven(view)
    return held or _incurable(view) or Disrupt()


def _condemned(view: View) -> Surrender | None:
    """Try no remedy, or none any more, where a part failed again: none is known to last."""
    counted = (each.fault.condemned for each in joined.counted(view))
    known = (view.repair.spec.condemned, *counted)
    condemned = next((each for each in known if each is not None), None)
    if condemned is None or view.repair.status.tries:
        return None
    message = f"{parts.sentence(condemned)}; {parts.WAY_OUT}"
    return Surrender(reason=Reason.CONDEMNED_PART, message=message)


def _recurred(view: View) -> Surrender | None:
    """Leave it at the cordon where the last remedy of the ladder was tried a short time ago."""
    recurs = view.repair.spec.recurs
    if recurs is None or not recurrence.is_exhausted(view.repair):
        return None
    said = f"{recurrence.sentence(recurs)}, and no remedy is left; {recurrence.WAY_OUT}"
    return Surrender(reason=Reason.RECURRED, message=said)


def _climb(view: View) -> Move:
    rung = joined.rung(view.repair)
    begun: Move | None = _retake(view) or _replaced(view) or arrivals.greets(view)
    begun = begun or _stopped(view) or _recovering(view)
    under_way = rungs.is_under_way(view.repair)
    begun = begun or (None if under_way else _doomed(view)) or _unwanted(view)
    return begun or _held_up(view) or Climb(rung=rung)


def _doomed(view: View) -> Surrender | None:
    """Go no further when a fault joins whose part is condemned; another machine has other parts."""
    node, target = view.node, view.repair.spec.target
    return _condemned(view) if node is not None and node.metadata.uid == target.node_uid else None


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


def _recovering(view: View) -> Release | Rest | None:
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
    return _uncordoned(view) or _forbidden(view)


def _uncordoned(view: View) -> Release | None:
    """Give way to somebody who uncordoned the node while we held it: they may know more."""
    node, ours = view.node, held(view.repair, view.ledger).epochs()
    if node is None or node.spec.unschedulable or not marks.is_ours(node, ours):
        return None
    message = f"somebody uncordoned {node.metadata.name}; {rungs.WAY_ON}"
    return Release(reason=Reason.UNCORDONED, message=message, phase=Phase.PARKED)


def _parked(view: View) -> Move:
    return _gone(view) or _unruled(view) or _as_it_is(view)


def _unruled(view: View) -> Release | None:
    """Wait no longer for the end of a fault that nobody knows any more, if people let go of it."""
    repair = view.repair
    if view.ruled or repair.status.reason not in {Reason.RELEASED, Reason.CANCELLED}:
        return None
    message = f"there is no rule {repair.spec.rule} any more"
    return Release(reason=Reason.RULE_GONE, message=message)


def _verifying(view: View) -> Move:
    seen = _released(view) or _retake(view) or arrivals.greets(view)
    return seen or _elsewhere(view) or _mended_in_vain(view) or verifying.verify(view)


def _mended_in_vain(view: View) -> Surrender | None:
    """Give no node back with a part that is condemned, once a burn-in has ended."""
    burning = view.repair.status.burn_in
    return None if burning is not None and burning.passed_at is None else _doomed(view)


def _elsewhere(view: View) -> Release | Rest | None:
    """Wait for no Node of the old name when the machine's successor has joined under another."""
    repair, status = view.repair, view.repair.status
    if view.node is not None or joined.rung(repair).action != remedies.REPLACE:
        return None
    known = status.log[-1:] if status.reason == Reason.NODE_ABSENT else ()
    until = max((line.at for line in known), default=view.now) + NAME_PATIENCE
    if view.now < until:
        message = "the machine was replaced; waits to see whether its successor has its name"
        return Rest(phase=status.phase, reason=Reason.NODE_ABSENT, message=message, until=until)
    message = f"the machine was replaced, and no Node has the name {repair.spec.target.node} now"
    return Release(reason=Reason.REPLACED_ELSEWHERE, message=message)


def _hopeless(view: View) -> Move:
    """Keep the slot while an order to the machine's owner is under way, then give it to others."""
    repair, node = view.repair, view.node
    slot = view.ledger.status.slots.get(repair.spec.target.node)
    if slot is None or not has_slot(repair, view.ledger):
        return _taken_away(view) or _uncordoned(view) or _as_it_is(view)
    if orders.is_open(repair, node):
        fades = orders.may_fade(repair) or orders.may_be_lost(repair, node, view.now)
        return Inquire() if node is None or fades else _as_it_is(view)
    if orders.is_down_by_us(view):
        return Inquire()
    if node is not None and marks.fence_of(node) == Fence(epoch=slot.epoch, hold=Hold.CORDONED):
        return Trade()
    return _uncordoned(view) or _retake(view) or Trade()


def _taken_away(view: View) -> Release | None:
    """Hold nothing any more for a machine that a person took away, or put another one for."""
    repair, node = view.repair, view.node
    if node is None:
        message = f"{repair.spec.target.node} was taken away by somebody else"
        return Release(reason=Reason.NODE_ABSENT, message=message)
    anew = node.metadata.uid != repair.spec.target.node_uid
    if not anew or marks.is_ours(node, held(repair, view.ledger).epochs()):
        return None
    message = "the machine was replaced by somebody else"
    return Release(reason=Reason.NODE_ABSENT, message=message)


def _as_it_is(view: View) -> Rest:
    status = view.repair.status
    return Rest(phase=status.phase, reason=status.reason, message=status.message)


def _observe(view: View) -> Move:
    ended = _gone(view) or _skipped(view)
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


def _gone(view: View) -> Release | None:
    """Give up before anything was disrupted when there is nothing left to mend."""
    target = view.repair.spec.target
    if view.node is None or view.node.metadata.uid != target.node_uid:
        return Release(
            reason=Reason.NODE_ABSENT, message=f"{target.node} is not the machine it was"
        )
    if joined.is_over(view):
        message = "the fault went away before anything was disrupted"
        return Release(reason=Reason.FAULT_GONE, message=message)
    return None


def _disowned(view: View) -> Release | None:
    """Give a node back that was no more than cordoned when nobody calls it sick any more."""
    spec, others = view.repair.spec, view.repair.status.faults
    if view.ruled or others or spec.mode is not Mode.ENFORCE:
        return None
    message = f"rule {spec.rule} was taken away before anything was disrupted"
    return Release(reason=Reason.RULE_GONE, message=message)


def _skipped(view: View) -> Release | None:
    """End what has disrupted nothing yet when people look after the node themselves."""
    reason = pauses.skipped(view.node) if view.node is not None else ""
    return Release(reason=Reason.SKIPPED, message=reason) if reason else None


def _released(view: View) -> Release | None:
    """Finish what a crash between the two writes of a release has left."""
    fence = marks.fence_of(view.node) if view.node else None
    admissions = held(view.repair, view.ledger)
    if fence is None or fence.hold is not Hold.RELEASED or fence.epoch not in admissions.epochs():
        return None
    reason = Reason.REPAIRED if admissions.disruption else Reason.FAULT_GONE
    return Release(reason=reason, message="the node is back in service")


def _retake(view: View) -> Retake | None:
    """Put the fence that the ledger grants on a Node that lacks it: one made anew arrives bare."""
    admissions = held(view.repair, view.ledger)
    if admissions.disruption:
        fence = Fence(epoch=admissions.disruption, hold=Hold.DISRUPTED)
    else:
        fence = Fence(epoch=admissions.cordon, hold=Hold.CORDONED)
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


def disruption_refusal(repair: NodeRepair, node: Node | None, ledger: RepairLedger) -> str:
    """Say why this repair may not disrupt its node now; the empty string when it may.

    Asked right before every deed, in this order: the Node was read first, the ledger after it.
    """
    target, epoch = repair.spec.target, repair.status.disruption_epoch
    slot = ledger.status.slots.get(target.node)
    if slot is None or slot.epoch != epoch:
        return f"the ledger has no slot of epoch {epoch} for {target.node}"
    if node is None:
        return ""
    verifies = repair.status.phase is Phase.VERIFYING  # a successor has to prove itself as well
    if node.metadata.uid != target.node_uid and not verifies:
        return f"{target.node} is another machine now"
    fence = marks.fence_of(node)
    if fence is None or fence.epoch != epoch or fence.hold is not Hold.DISRUPTED:
        return f"the fence of {target.node} is {fence or 'absent'}, not {epoch}:disrupted"
    if not node.spec.unschedulable:
        return f"somebody uncordoned {target.node}"
    return cycles.strays(repair, node)
