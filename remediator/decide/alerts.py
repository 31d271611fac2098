"""What people should hear: one alert per incident, however many phases its repair goes through.

How urgent an incident is only ever rises, and can be read from its record alone: so two replicas,
and the same one after a crash, say the same.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from nodehealth import quantities
from nodehealth.repair import ENDED, Mode, NodeRepair, NodeRepairStatus, Phase, PhaseTime
from remediator.decide import burnins, joined, obstacles, recurrence, verifying
from remediator.rules.alerting import Alerting, Urgency, is_louder

REPAIR: Final = "NodeRepair"
"""What kind of incident a repair is."""
MARGIN: Final = timedelta(minutes=30)
"""How much longer than it may a phase must last before nodemend itself is suspected."""
_RUNG: Final = timedelta(minutes=30)
"""How long a remedy may take that sets itself neither a deadline nor a patience."""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LINES: Final = 5
"""How many of its last decisions an incident that ended, or needs a person, is told with."""
_RETRIED: Final = frozenset({Phase.NEEDS_HUMAN, Phase.PARKED})
_WAITS: Final = frozenset({Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING})
_WORKS: Final = frozenset({Phase.DRAINING, Phase.FENCING, Phase.REPAIRING})


class State(StrEnum):
    """Whether an incident goes on."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """From when on an incident was how urgent, and why."""

    urgency: Urgency
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a person should hear of one incident, as it is now."""

    incident: str
    """The identity of the incident: no other has it, ever."""
    name: str
    """What kind of incident it is, in CamelCase."""
    labels: Mapping[str, str]
    """What never changes of it; how urgent it is comes on top."""
    summary: str
    description: str
    runbook: str = ""
    rises: tuple[Rise, ...]
    """How it became as urgent as it is; the first is when it began."""
    ended_at: datetime | None = None

    @property
    def state(self) -> State:
        """Say whether the incident goes on."""
        return State.FIRING if self.ended_at is None else State.RESOLVED

    @property
    def urgency(self) -> Urgency:
        """Say what the incident asks of people at its worst."""
        return self.rises[-1].urgency

    @property
    def starts_at(self) -> datetime:
        """Say when the incident began."""
        return self.rises[0].at

    @property
    def needs_person(self) -> bool:
        """Say whether somebody must act."""
        return self.urgency is Urgency.PAGE and self.state is State.FIRING

    @property
    def fingerprint(self) -> str:
        """Name the incident shortly."""
        return hashlib.sha256(self.incident.encode()).hexdigest()[:32]

    @property
    def key(self) -> str:
        """Name this message: whoever gets two with one key may drop the second."""
        said = f"{self.incident}\0{self.state}\0{self.urgency}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def all_labels(self) -> dict[str, str]:
        """Return every label, with the kind of incident and its urgency."""
        return {"alertname": self.name, **self.labels, "severity": str(self.urgency)}


def ended(alert: Alert, at: datetime, why: str) -> Alert:
    """Return an alert whose incident is over."""
    return replace(alert, ended_at=at, summary=f"over: {alert.summary}", description=why)


def incident(repair: NodeRepair) -> str:
    """Name the incident that a repair is about."""
    return f"noderepair/{repair.metadata.name}/{repair.metadata.uid}"


def of_repair(repair: NodeRepair, manners: Alerting, runbook: str, now: datetime) -> Alert:
    """Say what people should hear of a repair."""
    spec, phase = repair.spec, repair.status.phase
    labels = {
        "cluster": manners.cluster,
        "node": spec.target.node,
        "pool": spec.target.pool,
        "team": spec.target.team,
        "rule": spec.rule,
        "fault": str(spec.severity),
        "mode": str(spec.mode),
    }
    rises = _worsening(_rises(repair, manners, now))
    return Alert(
        incident=incident(repair),
        name=REPAIR,
        labels={name: value for name, value in labels.items() if value},
        summary=_summary(repair, rises[-1]),
        description=_description(repair),
        runbook=link(runbook, manners),
        rises=rises,
        ended_at=_timeline(repair)[-1].at if phase in ENDED else None,
    )


def due(repair: NodeRepair, manners: Alerting, now: datetime) -> datetime | None:
    """Say when a repair will be more urgent if nothing happens to it before."""
    last = _timeline(repair)[-1]
    allowed = _allowed(repair, last.phase, manners)
    ends = last.at + allowed if allowed is not None else _stands_until(repair.status, manners)
    return ends if ends is not None and ends > now else None


def link(runbook: str, manners: Alerting) -> str:
    """Turn a rule's path to its runbook into what a person can open."""
    if not runbook or "://" in runbook or not manners.runbooks:
        return runbook
    return f"{manners.runbooks.rstrip('/')}/{runbook.lstrip('/')}"


def _worsening(rises: Iterator[Rise]) -> tuple[Rise, ...]:
    """Keep what made it worse: an incident that gets better is not told of again."""
    kept = [next(rises)]
    for rise in sorted(rises, key=lambda each: each.at):
        if is_louder(rise.urgency, kept[-1].urgency):
            kept.append(rise)
    return tuple(kept)


def _rises(repair: NodeRepair, manners: Alerting, now: datetime) -> Iterator[Rise]:
    timeline = _timeline(repair)
    began = repair.metadata.creation_timestamp or timeline[0].at
    observed = repair.spec.mode is not Mode.ENFORCE
    yield Rise(urgency=manners.observed if observed else Urgency.INFO, at=began)
    for each in repair.status.obstacles:
        why = f"{each.what} keeps pods from leaving"
        yield Rise(urgency=Urgency.WARNING, at=each.since, why=why)
    asked = repair.status.approval_asked
    if asked is not None:
        yield Rise(urgency=Urgency.WARNING, at=asked, why="a person is asked to approve it")
    yield from _standing(repair, manners, began, now)
    ends = [each.at for each in timeline[1:]] + [now]
    for stay, until in zip(timeline, ends, strict=True):
        if stay.phase is Phase.NEEDS_HUMAN:
            yield Rise(urgency=Urgency.PAGE, at=stay.at, why="a person is needed")
        allowed = _allowed(repair, stay.phase, manners)
        if allowed is not None and until - stay.at >= allowed:
            yield _overdue(stay, allowed)


def _standing(
    repair: NodeRepair, manners: Alerting, began: datetime, now: datetime
) -> Iterator[Rise]:
    """Warn of a slot that is held while the next step is forbidden: nobody else gets it."""
    status = repair.status
    until = _stands_until(status, manners)
    if until is None and status.held_seconds >= manners.waiting.total_seconds():
        until = began + manners.waiting  # it goes on by now; the earliest that it can have been
    if until is not None and until <= now:
        forbidden = f"its steps were forbidden for longer than {quantities.spoken(manners.waiting)}"
        yield Rise(urgency=Urgency.WARNING, at=until, why=forbidden)


def _stands_until(status: NodeRepairStatus, manners: Alerting) -> datetime | None:
    """Say when the next step will have been forbidden for too long, if it is forbidden now."""
    if status.held_since is None:
        return None
    left = manners.waiting - timedelta(seconds=status.held_seconds)
    return status.held_since + max(left, timedelta())


def _overdue(stay: PhaseTime, allowed: timedelta) -> Rise:
    urgency = Urgency.WARNING if stay.phase in _WAITS else Urgency.PAGE
    why = f"{stay.phase} from {stay.at:%H:%M} on took longer than {quantities.spoken(allowed)}"
    return Rise(urgency=urgency, at=stay.at + allowed, why=why)


def _allowed(repair: NodeRepair, phase: Phase, manners: Alerting) -> timedelta | None:
    """Say how long a repair may stay in a phase; nothing where there is no bound.

    The time in which its next step was forbidden does not count.
    """
    status = repair.status
    if repair.spec.mode is not Mode.ENFORCE:
        return None
    if phase in _WAITS:
        return manners.waiting
    if status.held_since is not None:
        return None
    held = timedelta(seconds=status.held_seconds)
    if phase in _WORKS:
        return sum(_patiences(repair), MARGIN + held)
    if phase is Phase.VERIFYING:
        verify = joined.longest_verify(repair)
        return verifying.longest(verify, burnins.asked(repair)) + MARGIN + held
    return None


def _patiences(repair: NodeRepair) -> Iterator[timedelta]:
    for number in range(len(joined.ladder(repair))):
        yield max(_patience(each.settings) for each in joined.alike(repair, number))


def _patience(settings: Mapping[str, int | str]) -> timedelta:
    written = settings.get("deadline", settings.get("patience"))
    if written is None:
        return _RUNG
    try:
        return max(_RUNG, quantities.duration(str(written)))
    except ValueError:
        return _RUNG


def _faults(repair: NodeRepair) -> str:
    """Name what an incident is about: a node has one, whatever else befalls it."""
    return " and ".join(joined.rules(repair))


def _joined(repair: NodeRepair) -> list[str]:
    """Say what did not last, and what joined it."""
    recurs = repair.spec.recurs
    again = [recurrence.sentence(recurs)] if recurs is not None else []
    return [*again, *(joined.sentence(fault) for fault in repair.status.faults)]


def _timeline(repair: NodeRepair) -> tuple[PhaseTime, ...]:
    """Return the phases of a repair; one that was only just opened has written down none."""
    if repair.status.timeline:
        return repair.status.timeline
    created = repair.metadata.creation_timestamp or _LONG_AGO
    return (PhaseTime(phase=repair.status.phase, at=created),)


def _summary(repair: NodeRepair, worst: Rise) -> str:
    status = repair.status
    what = f"{_faults(repair)} on {repair.spec.target.node}"
    reason = status.reason or status.phase
    if status.phase in ENDED:
        return f"{what} is over ({reason})"
    if status.phase is Phase.NEEDS_HUMAN:
        return f"{what}: a person is needed ({reason})"
    if repair.spec.mode is not Mode.ENFORCE:
        return f"{what}: nodemend only watches"
    return f"{what}: " + (worst.why or "nodemend deals with it")


def _description(repair: NodeRepair) -> str:
    spec, status, name = repair.spec, repair.status, repair.metadata.name
    reason = f" ({status.reason})" if status.reason else ""
    lines = [*spec.evidence, *_joined(repair), f"{status.phase}{reason}: {status.message}"]
    if status.phase in ENDED | {Phase.NEEDS_HUMAN}:
        lines += [f"{each.at:%H:%M:%S} {each.text}" for each in status.log[-_LINES:]]
    if status.phase not in ENDED:
        lines += [obstacles.said(each) for each in status.obstacles]
    if status.evictions:
        lines.append(f"{len(status.evictions)} pods were asked to leave.")
    if status.phase not in ENDED:
        lines.append(f"All of it: kubectl get noderepair {name} -o yaml")
        lines += _ways_out(repair)
    return "\n".join(lines)


def _ways_out(repair: NodeRepair) -> list[str]:
    """Say what a person can do about a repair; an order to a machine's owner can't be stopped."""
    status, condemned, lines = repair.status, joined.condemned(repair), list[str]()
    if status.cordon_epoch and status.intent is None:
        lines.append(f"To have the node left alone: kubectl uncordon {repair.spec.target.node}")
    if status.phase in _RETRIED and repair.spec.ladder:
        lines.append(
            f"To have its ladder begun anew: nodemend repairs retry {repair.metadata.name}"
        )
    if repair.spec.mode is Mode.ENFORCE:
        names = [each.repair for each in condemned.failures] if condemned is not None else []
        names += [repair.spec.recurs.repair] if repair.spec.recurs is not None else []
        doomed = " ".join((*names, repair.metadata.name))
        lines.append(f"To have it repaired anew: kubectl delete noderepair {doomed}")
    return lines
