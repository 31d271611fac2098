"""What comes next in a repair: its record and fresh facts in, one move out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import ENDED, Mode, NodeRepair, Phase
from remediator.decide import marks
from remediator.decide.moves import (
    Climb,
    Cordon,
    Disrupt,
    Finish,
    Mended,
    Move,
    NextRung,
    Reason,
    Release,
    Rest,
    Retake,
    Surrender,
    View,
)

VERIFY_PATIENCE: Final = timedelta(minutes=20)
"""How long a mended node may take to be found well before the next rung is tried."""


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
    ours = slot is not None and slot.repair == repair.metadata.name
    return Held(
        cordon=ledger.status.cordons.get(node) or status.cordon_epoch,
        disruption=slot.epoch if slot and ours else status.disruption_epoch,
    )


def next_move(view: View) -> Move:
    """Decide what comes next."""
    repair = view.repair
    phase, closing = repair.status.phase, repair.status.closing
    if phase in _AT_REST:
        return Rest(phase=phase, reason=repair.status.reason, message=repair.status.message)
    if closing is not None:
        return Finish(closing=closing)
    if repair.spec.mode is not Mode.ENFORCE:
        return _observe(view)
    return _STAGES.get(phase, _climb)(view)


def done(repair: NodeRepair, message: str, *, mends: bool) -> NextRung | Mended:
    """Go on after a rung that did its work: a rung that only prepares leads to the next one."""
    rung = repair.status.rung + 1
    if mends or rung == len(repair.spec.ladder):
        return Mended(message=message)
    return NextRung(rung=rung, message=message)


def after(repair: NodeRepair, why: str) -> NextRung | Surrender:
    """Go one rung up after a remedy that failed, or call a person when there is none."""
    rung = repair.status.rung + 1
    if rung < len(repair.spec.ladder):
        return NextRung(rung=rung, message=why)
    message = f"{why}; no remedy is left on the ladder"
    return Surrender(reason=Reason.LADDER_EXHAUSTED, message=message)


def _confirmed(view: View) -> Move:
    return _gone(view) or Cordon()


def _cordoned(view: View) -> Move:
    return _released(view) or _gone(view) or _retake(view) or Disrupt()


def _climb(view: View) -> Move:
    repair = view.repair
    return _retake(view) or _replaced(view) or Climb(rung=repair.spec.ladder[repair.status.rung])


def _verifying(view: View) -> Move:
    return _released(view) or _retake(view) or _verify(view)


def _observe(view: View) -> Move:
    if _is_over(view):
        return Release(reason=Reason.FAULT_GONE, message="the fault went away; nothing was done")
    ladder = ", then ".join(rung.action for rung in view.repair.spec.ladder)
    message = f"would cordon {view.repair.spec.target.node}, then {ladder}; the mode is observe"
    return Rest(phase=Phase.WAITING, reason=Reason.OBSERVE_ONLY, message=message)


def _gone(view: View) -> Release | None:
    """Give up before anything was disrupted when there is nothing left to mend."""
    target = view.repair.spec.target
    if view.node is None or view.node.metadata.uid != target.node_uid:
        return Release(
            reason=Reason.NODE_ABSENT, message=f"{target.node} is not the machine it was"
        )
    if _is_over(view):
        message = "the fault went away before anything was disrupted"
        return Release(reason=Reason.FAULT_GONE, message=message)
    return None


def _is_over(view: View) -> bool:
    """Believe that a fault is over only by evidence newer than the repair: caches may be stale."""
    heard_at, since = view.well.heard_at, view.repair.metadata.creation_timestamp
    return view.well.over and heard_at is not None and since is not None and heard_at > since


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
    if view.node is None or marks.fence_of(view.node) == fence:
        return None
    return Retake(fence=fence)


def _replaced(view: View) -> Mended | None:
    """Skip what is left of the ladder when somebody else replaced the machine meanwhile."""
    repair, node = view.repair, view.node
    if node is None or repair.status.intent is not None:
        return None
    if node.metadata.uid == repair.spec.target.node_uid:
        return None
    return Mended(message="the machine was replaced by somebody else")


def _verify(view: View) -> Move:
    status = view.repair.status
    since = status.rung_since or view.now
    until = since + VERIFY_PATIENCE
    if view.now >= until:
        return after(view.repair, "the node was not well in time after its last remedy")
    reason, message, proven = _unwell(view, status.intent.issued_at if status.intent else since)
    if reason is None:
        return Release(reason=Reason.REPAIRED, message="the node is well and back in service")
    return Rest(
        phase=Phase.VERIFYING, reason=reason, message=message, until=min(until, proven or until)
    )


def _unwell(view: View, deed: datetime) -> tuple[Reason | None, str, datetime | None]:
    """Say what is missing for the node to count as mended; evidence must be newer than the deed."""
    well = view.well
    if view.node is None:
        return Reason.NODE_ABSENT, "waits for the node to come back", None
    if not is_ready(view.node):
        return Reason.NODE_NOT_READY, "waits for the node to be Ready", None
    if well.since is None or well.heard_at is None or well.heard_at <= deed:
        return Reason.NOT_YET_WELL, "waits for the fault's signals to be known and good", None
    proven = max(well.since, deed) + timedelta(seconds=view.repair.spec.verify_seconds)
    if view.now < proven:
        return Reason.NOT_YET_WELL, f"must stay well until {proven:%H:%M:%S}", proven
    if not well.over:
        return Reason.NOT_YET_WELL, "waits for the rule to call the fault over", None
    return None, "", None


_AT_REST: Final = ENDED | {Phase.NEEDS_HUMAN, Phase.PARKED}
_STAGES: Final[Mapping[Phase, Callable[[View], Move]]] = {
    Phase.CONFIRMED: _confirmed,
    Phase.CORDONED: _cordoned,
    Phase.WAITING: _cordoned,
    Phase.VERIFYING: _verifying,
}
"""What decides in a phase; in all others a rung is being carried out."""


def is_ready(node: Node) -> bool:
    """Say whether the Node's Ready condition is True."""
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


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
    if node.metadata.uid != target.node_uid:
        return f"{target.node} is another machine now"
    fence = marks.fence_of(node)
    if fence is None or fence.epoch != epoch or fence.hold is not Hold.DISRUPTED:
        return f"the fence of {target.node} is {fence or 'absent'}, not {epoch}:disrupted"
    return ""
