"""What the agent knows of its node: the only rules by which answers become a report."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

import msgspec

from agent import counters, events, lastboot, levels, readings, twins
from agent.counters import Sample
from agent.events import Cursor
from agent.lastboot import LastBoot
from agent.probe import Past
from agent.readings import Answer, Aside, Counter, Gap, Memo, Occurrence, Reading, ReadingError
from agent.twins import Single
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import (
    MOST_LEVELS,
    VERSION_LENGTH,
    Event,
    Level,
    NodeHealthStatus,
    ProbeReport,
    ProbeState,
)
from nodehealth.kube.objects import Struct
from nodehealth.signals import Kind, Knowledge, Signal

VERSION: Final = 1
"""The version of the file that keeps a State across restarts."""
_LONGEST_MESSAGE: Final = 256


class State(Struct, frozen=True, kw_only=True):
    """Everything that is known, by the probe that says it; kept across restarts as it is."""

    boot_id: str
    node_uid: str = ""
    levels: Mapping[str, tuple[Level, ...]] = {}
    """By probe: a probe that falls silent makes its own levels unknown, no others."""
    events: tuple[Event, ...] = ()
    uncounted: ProbeReport | None = None
    """That events had to be dropped in this boot: what is not among them may have happened."""
    cursors: Mapping[str, Cursor] = {}
    """By source: what lies behind is counted already."""
    counters: Mapping[str, tuple[Sample, ...]] = {}
    """By probe, as they stood when it answered last."""
    singles: tuple[Single, ...] = ()
    """What was told in one of two ways so far, and will be told in the other one too."""
    memos: Mapping[str, tuple[Level, ...]] = {}
    """By probe what it wants to find again; told to nobody."""
    reports: Mapping[str, ProbeReport] = {}
    """By probe."""
    began_at: datetime | None = None
    """When this agent began; an earlier version does not say, nor when it was told to end."""
    ended_at: datetime | None = None
    """When it was told to end, if it was: most often so, the machine is shut down."""
    version: int = VERSION


def begin(
    kept: State | None,
    *,
    boot_id: str,
    node_uid: str,
    probes: Iterable[str],
    now: datetime,
    kept_at: datetime | None = None,
) -> State:
    """Start with what an earlier agent on this node kept.

    After a mere restart its levels are unknown until they are read again, and keep their times.
    What was kept for another Node is worth nothing; of what was kept in another boot, only how that
    ended is.

    Args:
        kept: What it kept.
        boot_id: The present boot.
        node_uid: The Node's UID.
        probes: Which there are.
        now: The present time.
        kept_at: When it was kept.
    """
    names = tuple(probes)
    reports = {name: _report(None, name, ProbeState.STARTING, "", now) for name in names}
    fresh = State(boot_id=boot_id, node_uid=node_uid, reports=reports, began_at=now)
    if kept is None or kept.node_uid != node_uid:
        return fresh
    if kept.boot_id != boot_id:
        return msgspec.structs.replace(fresh, memos=_last_boot(kept, kept_at, names, now))
    return msgspec.structs.replace(
        fresh,
        levels={name: _unknown(kept.levels[name]) for name in names if name in kept.levels},
        counters={name: kept.counters[name] for name in names if name in kept.counters},
        memos={name: kept.memos[name] for name in names if name in kept.memos},
        events=kept.events,
        singles=kept.singles,
        uncounted=kept.uncounted,
        cursors=kept.cursors,
    )


def _last_boot(
    kept: State, kept_at: datetime | None, names: tuple[str, ...], now: datetime
) -> Mapping[str, tuple[Level, ...]]:
    """Remember what an agent of another boot told of its end."""
    if lastboot.KEEPER not in names:
        return {}
    alive = kept_at if kept_at and kept.began_at else lastboot.LONG_AGO
    last = LastBoot(boot_id=kept.boot_id, alive_at=alive, ended_at=kept.ended_at)
    return {lastboot.KEEPER: _remembered((), [last.memo()], now)}


def past(state: State, probe: str) -> Past:
    """Return what a probe said last in this boot, and what it wanted to be remembered."""
    said = (*state.levels.get(probe, ()), *state.memos.get(probe, ()))
    return {(each.name, each.subject): each for each in said}


def answered(
    state: State,
    probe: str,
    answers: Sequence[Answer | Aside],
    now: datetime,
    catalogue: Mapping[str, Signal] = CATALOGUE,
) -> State:
    """Fold in all that a probe says; a level that it says no more is gone.

    Raises:
        ReadingError: an answer is not in the catalogue, or is given twice.
    """
    stated = [each for each in answers if isinstance(each, Reading | Occurrence | Counter)]
    signals = {each.name: readings.checked(each, catalogue) for each in stated}
    counted = [each for each in stated if isinstance(each, Counter)]
    derived = counters.fold(state.counters.get(probe, ()), counted, signals, now)
    told = [each for each in (*stated, *derived) if isinstance(each, Reading)]
    news = [each for each in (*stated, *derived) if isinstance(each, Occurrence)]
    known = msgspec.structs.replace(
        state,
        levels={**state.levels, probe: _read(state, probe, told, signals, now)},
        counters={**state.counters, probe: counters.samples(counted)},
        memos={**state.memos, probe: _remembered(state.memos.get(probe, ()), answers, now)},
        reports={**state.reports, probe: _verdict(state, probe, told, answers, now)},
    )
    return _happened(known, news, now)


def _read(
    state: State,
    probe: str,
    told: Sequence[Reading],
    signals: Mapping[str, Signal],
    now: datetime,
) -> tuple[Level, ...]:
    before = past(state, probe)
    _check_owners(state, probe, told)
    return tuple(
        levels.fold(before.get((each.name, each.subject)), each, signals[each.name].grid, now)
        for each in told
    )


def _happened(state: State, news: Sequence[Occurrence], now: datetime) -> State:
    """Count what was not read before, and what of it was not told in another way."""
    unread, cursors = events.unread(state.cursors, news, boot_id=state.boot_id)
    singles, single = twins.fold(state.singles, unread)
    happened, dropped = events.fold(state.events, single, boot_id=state.boot_id, now=now)
    return msgspec.structs.replace(
        state,
        events=happened,
        singles=singles,
        uncounted=state.uncounted or (_uncounted(now) if dropped else None),
        cursors=cursors,
    )


def unanswered(state: State, probe: str, how: ProbeState, message: str, now: datetime) -> State:
    """Make the levels of a probe that gave no answer unknown, and report it."""
    report = _report(state.reports.get(probe), probe, how, message, now)
    remaining = {probe: _unknown(state.levels[probe])} if probe in state.levels else {}
    return msgspec.structs.replace(
        state,
        levels={**state.levels, **remaining},
        reports={**state.reports, probe: report},
    )


def ended(state: State, now: datetime) -> State:
    """Note that the agent was told to end."""
    return msgspec.structs.replace(state, ended_at=now)


def status(state: State, *, agent_version: str, driver_version: str = "") -> NodeHealthStatus:
    """Return the report, in an order that depends on nothing but its content."""
    reports = [*state.reports.values(), *([state.uncounted] if state.uncounted else [])]
    everything = map(_told, chain.from_iterable(state.levels.values()))
    return NodeHealthStatus(
        node_uid=state.node_uid,
        boot_id=state.boot_id,
        agent_version=agent_version,
        driver_version=driver_version[:VERSION_LENGTH],
        levels=tuple(sorted(everything, key=lambda level: (level.name, level.subject))),
        events=state.events,
        probes=tuple(sorted(reports, key=lambda report: report.name)),
    )


def shortened(message: str) -> str:
    """Return as much of a message as a report holds, with what is no text made readable."""
    return message[:_LONGEST_MESSAGE].encode(errors="replace").decode()


def lasting(state: State, catalogue: Mapping[str, Signal] = CATALOGUE) -> State:
    """Return what a restart would lose for good: no rates, no times of reading, no fleeting memos.

    Whoever keeps the state writes it anew when this changes, not at every look.
    """
    totals = {
        probe: tuple(
            msgspec.structs.replace(each, uptime=0.0)
            for each in samples
            if each.name in catalogue and catalogue[each.name].kind is Kind.EVENT
        )
        for probe, samples in state.counters.items()
    }
    memos = {
        probe: tuple(each for each in kept if not each.subject.startswith(readings.FLEETING))
        for probe, kept in state.memos.items()
    }
    return msgspec.structs.replace(state, counters=totals, memos=memos)


def _told(level: Level) -> Level:
    """Say of a level that does not apply nothing but that; what it was is remembered, not told."""
    if level.knowledge is not Knowledge.NOT_APPLICABLE:
        return level
    return msgspec.structs.replace(level, value=None, fields={})


def _unknown(known: Iterable[Level]) -> tuple[Level, ...]:
    return tuple(levels.unknown(level) for level in known)


def _check_owners(state: State, probe: str, told: Sequence[Reading]) -> None:
    owners = {
        (level.name, level.subject): owner
        for owner, theirs in state.levels.items()
        for level in theirs
        if owner != probe
    }
    if len(owners) + len(told) > MOST_LEVELS:
        expected = f"at most {MOST_LEVELS} levels on a node"
        raise ReadingError(f"{probe}: expected {expected}, got {len(owners) + len(told)}")
    for each in told:
        owner = owners.setdefault((each.name, each.subject), probe)
        if owner != probe:
            raise ReadingError(f"{each.name} of {each.subject!r}: probe {owner} reports it already")
    if len({(each.name, each.subject) for each in told}) < len(told):
        raise ReadingError(f"{probe}: expected one reading a level, got one of them twice")


def _uncounted(now: datetime) -> ProbeReport:
    message = f"more than {events.MOST} different events in this boot: some were dropped"
    return _report(None, events.PROBE, ProbeState.FAILED, message, now)


def _remembered(
    before: Iterable[Level], answers: Sequence[Answer | Aside], now: datetime
) -> tuple[Level, ...]:
    known = {each.subject: each for each in before}
    memos = [each for each in answers if isinstance(each, Memo)]
    return tuple(
        known[each.subject]
        if each.subject in known and known[each.subject].fields == each.fields
        else Level(name="", subject=each.subject, fields=each.fields, since=now)
        for each in memos
    )


def _verdict(
    state: State,
    probe: str,
    told: Sequence[Reading],
    answers: Sequence[Answer | Aside],
    now: datetime,
) -> ProbeReport:
    """Call a probe that could not read or watch all of its own failed, and say what and why."""
    unread = (each for each in told if each.knowledge is Knowledge.UNKNOWN)
    gaps = (each.why for each in answers if isinstance(each, Gap))
    reasons = dict.fromkeys(
        (*(f"{each.subject or each.name}: {each.why}" for each in unread), *gaps)
    )
    how = ProbeState.FAILED if reasons else ProbeState.OK
    return _report(state.reports.get(probe), probe, how, "; ".join(reasons), now)


def _report(
    before: ProbeReport | None, probe: str, how: ProbeState, message: str, now: datetime
) -> ProbeReport:
    same = before is not None and before.state is how
    return ProbeReport(
        name=probe,
        state=how,
        since=before.since if before is not None and same else now,
        message=shortened(message),
    )
