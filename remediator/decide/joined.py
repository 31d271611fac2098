"""Several faults of one node are one repair: which of them count, and which remedy comes next.

The frozen ladder goes first. When its fault is over, or it has no remedy left, the faults that
joined go on with what their own ladders still have. No remedy is begun twice in one repair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth.repair import (
    FAULTS_LENGTH,
    LOG_LENGTH,
    Condemned,
    Decision,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Recovery,
    Rung,
    Severity,
)
from remediator.decide import remedies
from remediator.decide.moves import Join, Other, View, Wellness

SEVERITIES: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
"""The worst first."""
_LEFT_ALONE: Final = frozenset({Phase.RECOVERED, Phase.PARKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One of the faults that a repair is for."""

    well: Wellness
    ladder: tuple[int, ...]
    """Its remedies, as the repair counts them."""


def ladder(repair: NodeRepair) -> tuple[Rung, ...]:
    """Return all remedies that a repair may come to: more may be added, none changes its number."""
    whole = list(repair.spec.ladder)
    for fault in repair.status.faults:
        for rung in fault.ladder:
            if not any(remedies.same(rung, each) for each in whole):
                whole.append(rung)
    return tuple(whole)


def rung(repair: NodeRepair) -> Rung:
    """Return the remedy that is being carried out, or was the last one."""
    return ladder(repair)[repair.status.rung]


def alike(repair: NodeRepair, number: int) -> tuple[Rung, ...]:
    """Return the rungs that a remedy is carried out for at once, the one with that number first.

    A drain protects what runs on the node from the remedies of all faults: it is for the drain of
    each that was let go as far as the repair, whatever settings that has.
    """
    chosen = ladder(repair)[number]
    if not remedies.prepares(chosen):
        return (chosen,)
    ladders = (repair.spec.ladder, *(each.ladder for each in _acting(repair)))
    same = (each for rungs in ladders for each in rungs if each.action == chosen.action)
    return (chosen, *(each for each in same if each != chosen))


def tried(repair: NodeRepair) -> tuple[int, ...]:
    """Return the remedies that were begun; an earlier version wrote down only the last one."""
    status = repair.status
    if status.tried or status.rung_since is None:
        return status.tried
    return tuple(range(status.rung + 1))


def done(repair: NodeRepair) -> tuple[Rung, ...]:
    """Return the same as remedies."""
    whole = ladder(repair)
    return tuple(whole[number] for number in tried(repair))


def rules(repair: NodeRepair) -> tuple[str, ...]:
    """Name the rules that a repair is for, the leading one first; what only watches is not."""
    return (repair.spec.rule, *(each.rule for each in _acting(repair)))


def severity(repair: NodeRepair) -> Severity:
    """Say how bad the worst fault of a repair is."""
    found = (repair.spec.severity, *(each.severity for each in _acting(repair)))
    return min(found, key=SEVERITIES.index)


def holding(view: View) -> frozenset[Severity]:
    """Say how bad the faults are of which fresh evidence says that they are there."""
    leading = {view.repair.spec.severity} if view.well.holds else set()
    joined = (each.fault.severity for each in counted(view) if each.well.holds)
    return frozenset({*leading, *joined})


def parts(repair: NodeRepair, action: str = "") -> tuple[str, ...]:
    """Name what failed; with a remedy, only what it is to mend."""
    spec = repair.spec
    found = [(spec.ladder, spec.parts), *((each.ladder, each.parts) for each in _acting(repair))]
    named = (of for rungs, of in found if not action or any(r.action == action for r in rungs))
    return tuple(dict.fromkeys(part for each in named for part in each))


def condemned(repair: NodeRepair) -> Condemned | None:
    """Return the part for which no remedy is tried, by the leading fault or one that joined."""
    found = (repair.spec.condemned, *(each.condemned for each in _acting(repair)))
    return next((each for each in found if each is not None), None)


def counted(view: View) -> tuple[Other, ...]:
    """Return the faults that joined and may go as far as the repair does, the worst first."""
    mode = view.repair.spec.mode
    able = (e for e in view.others if e.allowed is mode and e.fault.mode is not Mode.OFF)
    return tuple(sorted(able, key=_urgency))


def kept(repair: NodeRepair) -> tuple[Joined, ...]:
    """Return the faults that joined and that nobody had dropped."""
    return tuple(each for each in repair.status.faults if each.mode is not Mode.OFF)


def dropped(status: NodeRepairStatus, rule: str) -> NodeRepairStatus:
    """Return the status of a repair that is for a fault no more; no remedy changes its number."""
    faults = (
        structs.replace(each, mode=Mode.OFF) if each.rule == rule else each
        for each in status.faults
    )
    return structs.replace(status, faults=tuple(faults))


def longest_verify(repair: NodeRepair) -> timedelta:
    """Say how long a mended node may have to be well at most."""
    asked = (each.verify_seconds for each in repair.status.faults)
    return timedelta(seconds=max((repair.spec.verify_seconds, *asked)))


def verify(view: View) -> timedelta:
    """Say how long a mended node must be well: as long as the strictest of its rules asks."""
    asked = (each.fault.verify_seconds for each in counted(view))
    return timedelta(seconds=max((view.repair.spec.verify_seconds, *asked)))


def holds(view: View) -> bool:
    """Say whether fresh evidence says that one of the faults is there."""
    return view.well.holds or any(each.well.holds for each in counted(view))


def is_over(view: View, *, but: str = "") -> bool:
    """Say whether all faults are, by evidence newer than the repair: caches may be stale.

    Args:
        view: What is known.
        but: The rule of one that joined and does not count.
    """
    began = view.repair.metadata.creation_timestamp
    leading = _is_over(view.well, began)
    return leading and all(
        _is_over(each.well, each.fault.since) for each in counted(view) if each.fault.rule != but
    )


def aborts(view: View) -> bool:
    """Say whether a drain is for nothing: all faults are over, and their rules want it to end.

    Nothing that mends has begun, and nothing was ordered.
    """
    repair, status = view.repair, view.repair.status
    asked = (repair.spec.on_recovery, *(each.fault.on_recovery for each in counted(view)))
    untouched = status.intent is None and all(map(remedies.prepares, done(repair)))
    draining = status.phase is Phase.DRAINING and untouched
    return draining and set(asked) == {Recovery.ABORT} and is_over(view)


def joins(view: View) -> Join | None:
    """Take in what holds too, but what a person took over or what has ended takes in nothing.

    A cordon waits for nothing: before it only that joins without which there would be none.
    """
    status = view.repair.status
    room = FAULTS_LENGTH - len(status.faults)
    if status.phase in _LEFT_ALONE or not view.joining[:room]:
        return None
    if status.phase is Phase.CONFIRMED and view.well.holds:
        return None
    return Join(faults=view.joining[:room])


def written(status: NodeRepairStatus, move: Join, now: datetime) -> NodeRepairStatus:
    """Return the status with faults taken in, and a line of the log for each."""
    lines = tuple(Decision(at=now, text=sentence(each)[:1024]) for each in move.faults)
    faults, log = (*status.faults, *move.faults), (*status.log, *lines)[-LOG_LENGTH:]
    return structs.replace(status, faults=faults, log=log)


def first(view: View) -> int:
    """Return the remedy to begin with, of a fault of which there is fresh evidence."""
    return next(_proven(view), 0)


def is_curable(view: View) -> bool:
    """Say whether there is a remedy for a fault of which there is fresh evidence.

    What joined may have none left, because those that it had did not last.
    """
    return next(_proven(view), None) is not None


def onward(view: View) -> int | None:
    """Return the remedy to go on with; nothing when none is left for what is not over."""
    faults = list(_faults(view))
    unsettled = [each for each in faults if not each.well.over] or faults[:1]
    return next((number for each in unsettled for number in _left(view, each.ladder)), None)


def is_wanted(view: View) -> bool:
    """Say whether the present remedy is one of a fault that counts."""
    return any(view.repair.status.rung in each.ladder for each in _faults(view))


def _faults(view: View) -> Iterator[_Fault]:
    """Yield the faults that count, the leading one first."""
    spec = view.repair.spec
    yield _Fault(well=view.well, ladder=tuple(range(len(spec.ladder))))
    whole = ladder(view.repair)
    for each in counted(view):
        own = dict.fromkeys(_number(rung, whole) for rung in each.fault.ladder)
        yield _Fault(well=each.well, ladder=tuple(own))


def _proven(view: View) -> Iterator[int]:
    holding = (each for each in _faults(view) if each.well.holds)
    return (number for each in holding for number in _left(view, each.ladder))


def _number(rung: Rung, whole: Sequence[Rung]) -> int:
    return next(n for n, each in enumerate(whole) if remedies.same(rung, each))


def _left(view: View, own: Sequence[int]) -> tuple[int, ...]:
    whole, begun = ladder(view.repair), frozenset(tried(view.repair))
    others = [whole[n] for n in begun if n not in own]
    node, target = view.node, view.repair.spec.target
    if node is not None and node.metadata.uid != target.node_uid:
        others.append(Rung(action=remedies.REPLACE))
    return remedies.left(whole, own, begun, others)


def _is_over(well: Wellness, since: datetime | None) -> bool:
    return well.over and well.heard_at is not None and since is not None and well.heard_at > since


def _acting(repair: NodeRepair) -> tuple[Joined, ...]:
    """Return the faults that joined and were let go as far as the repair."""
    return tuple(each for each in repair.status.faults if each.mode is repair.spec.mode)


def _urgency(other: Other) -> tuple[int, int, datetime]:
    fault = other.fault
    reach = remedies.reach(fault.ladder[-1]) if fault.ladder else 0
    return SEVERITIES.index(fault.severity), -reach, fault.since


def sentence(fault: Joined) -> str:
    """Say which fault joined, and by what it is known."""
    facts = "; ".join(fault.evidence)
    only = "" if fault.mode is Mode.ENFORCE else f" (mode {fault.mode})"
    return f"{fault.rule} holds too{only}: {facts}"
