"""What a person wants of a repair is granted or refused, once, and the answer is written down.

A request is answered by the write that carries it out: whoever crashes before it looks at the
request again, and whoever comes after it finds the answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import structs

from nodehealth.repair import (
    LOG_LENGTH,
    Answer,
    Decision,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Request,
    Wish,
)
from remediator.decide import joined, maintenance, orders, recurrence, remedies
from remediator.decide.moves import Reason, Release, Reply, Retry, View

Granted: TypeAlias = Release | Reply | Retry | None
_WAY_ON: Final = "its fault is left alone until it was over once, or somebody asks to retry"
_ENDS: Final = frozenset({Phase.NEEDS_HUMAN, Phase.PARKED})


def pending(repair: NodeRepair) -> Request | None:
    """Return what a person wants of a repair and nobody has answered."""
    request, answer = repair.spec.request, repair.status.answer
    return None if answer is not None and answer.request == request else request


def granted(view: View) -> Granted:
    """Decide what comes of a person's request; nothing if there is none, or it has to wait."""
    request = pending(view.repair)
    if request is None:
        return None
    if view.repair.spec.mode is not Mode.ENFORCE:
        return _refused(request, "it only observes: nothing was done to the node")
    return _WISHES[request.what](view, request)


def answered(
    status: NodeRepairStatus, request: Request, message: str, now: datetime, *, done: bool
) -> NodeRepairStatus:
    """Return the status with the answer to a request."""
    answer = Answer(request=request, done=done, message=message[:1024], at=now)
    return structs.replace(status, answer=answer)


def replied(status: NodeRepairStatus, reply: Reply, now: datetime) -> NodeRepairStatus:
    """Return the status with an answer that nothing else follows from, and a line of the log."""
    request = reply.request
    said = "is done" if reply.done else "is refused"
    text = f"{request.what}, wanted by {request.by or 'somebody'}, {said}: {reply.message}"
    log = (*status.log, Decision(at=now, text=text[:1024]))[-LOG_LENGTH:]
    status = structs.replace(status, log=log)
    return answered(status, request, reply.message, now, done=reply.done)


def retried(view: View, retry: Retry, now: datetime) -> NodeRepairStatus:
    """Return the status of a repair that begins anew, with what of its node the ledger holds."""
    status, cordon = view.repair.status, _cordon(view)
    fresh = NodeRepairStatus()
    begun = structs.replace(
        status,
        cordon_epoch=cordon,
        pre_cordoned=status.pre_cordoned and cordon > 0,
        disruption_epoch=0,
        tries=status.tries + 1,
        **{name: getattr(fresh, name) for name in _BEGUN},
    )
    return answered(begun, retry.request, retry.message, now, done=True)


_BEGUN: Final = (
    "rung",
    "tried",
    "rung_since",
    "empty_passes",
    "healthy_since",
    "intent",
    "rebooting",
    "fencing",
    "held_since",
    "held_seconds",
)
"""What is as in a repair that has begun nothing."""


def _retry(view: View, request: Request) -> Granted:
    """Begin anew, from the cordon where there is one: a slot is asked for like by any other."""
    repair, phase = view.repair, view.repair.status.phase
    if phase not in _ENDS:
        return _refused(
            request,
            f"it is {phase}: nothing has come to its end that could be retried; what it waits for "
            f"tells `nodemend why {repair.spec.target.node}`",
        )
    if not repair.spec.ladder:
        return _refused(request, f"no remedy is left on its ladder; {recurrence.WAY_OUT}")
    under_way = _under_way(view)
    if under_way:
        return _refused(request, under_way)
    slot = view.ledger.status.slots.get(repair.spec.target.node)
    if slot is not None and slot.repair == repair.metadata.name:
        return None  # it is given to others first
    where = Phase.CORDONED if _cordon(view) else Phase.CONFIRMED
    return Retry(request=request, phase=where, message=f"begins anew, as {_who(request)} wants")


def _release(view: View, request: Request) -> Granted:
    """Give the node back as it is, and leave its fault to people."""
    if view.repair.status.phase is Phase.PARKED:
        return Reply(request=request, done=True, message="it holds nothing already")
    held = _under_way(view) or _kept(view)
    return _refused(request, held) if held else _parked(request, Reason.RELEASED)


def _cancel(view: View, request: Request) -> Granted:
    """Do the same if no remedy has been begun that may have mended, or broken, something."""
    repair = view.repair
    if repair.status.phase is Phase.PARKED:
        return Reply(request=request, done=True, message="it holds nothing already")
    begun = begins(repair)
    if begun:
        return _refused(request, f"{begun} has begun already; to give the node back: release")
    held = _under_way(view) or _kept(view)
    return _refused(request, held) if held else _parked(request, Reason.CANCELLED)


def _drop(view: View, request: Request) -> Granted:
    """Go on without a fault that joined, or give the node back if nothing else is amiss."""
    repair, rule = view.repair, request.rule
    if rule == repair.spec.rule:
        message = f"it was begun for {rule}; to give the node back: cancel or release"
        return _refused(request, message)
    if rule not in joined.rules(repair):
        return Reply(request=request, done=True, message=f"it is not for {rule or 'that'}")
    if joined.is_over(view, but=rule) and not begins(repair):
        return _cancel(view, request)
    message = f"goes on without {rule}, as {_who(request)} wants"
    return Reply(request=request, done=True, message=message, drops=rule)


def begins(repair: NodeRepair) -> str:
    """Name what a repair has begun beyond a cordon and a drain; the empty string if nothing."""
    if repair.status.fencing is not None:
        return "switching the machine off"
    begun = (each.action for each in joined.done(repair) if not remedies.prepares(each))
    return next(begun, "")


_WISHES: Final[Mapping[Wish, Callable[[View, Request], Granted]]] = {
    Wish.RETRY: _retry,
    Wish.RELEASE: _release,
    Wish.CANCEL: _cancel,
    Wish.DROP: _drop,
}


def _under_way(view: View) -> str:
    """Say what was ordered that may still be carried out; the empty string if nothing may.

    A node that has to prove itself was mended first: of its remedy nothing comes any more.
    """
    status, node = view.repair.status, view.repair.spec.target.node
    is_mended = status.phase is Phase.VERIFYING
    order = status.intent if not is_mended and orders.is_open(view.repair, view.node) else None
    order = order or (status.rebooting if orders.is_down_by_us(view) else None)
    if order is None:
        return ""
    return (
        f"{order.action}, ordered at {order.issued_at:%H:%M:%S}, may still be carried out, and "
        "nobody could tell what it would do to the node; ask again when it is over, as "
        f"`nodemend why {node}` tells, or have nothing more begun after it: "
        f"`nodemend pause NAME --reason TEXT --node {node}`"
    )


def _kept(view: View) -> str:
    """Say who else is at work on a node that would be uncordoned; the empty string if nobody is."""
    who = maintenance.keeper(view.node, view.held) if view.node is not None else ""
    name = view.repair.spec.target.node
    if not who:
        return ""
    return (
        f"{who} is at work on {name}, and it is not uncordoned before that is over; ask again "
        f"then, or take it out of nodemend's hands now: kubectl uncordon {name}"
    )


def _cordon(view: View) -> int:
    return view.ledger.status.cordons.get(view.repair.spec.target.node, 0)


def _parked(request: Request, reason: Reason) -> Release:
    message = f"{reason.lower()} as {_who(request)} wants; {_WAY_ON}"
    return Release(reason=reason, message=message, phase=Phase.PARKED, answers=request)


def _refused(request: Request, message: str) -> Reply:
    return Reply(request=request, done=False, message=message)


def _who(request: Request) -> str:
    why = f" ({request.reason})" if request.reason else ""
    return (request.by or "somebody") + why
