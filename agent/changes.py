"""What is new in a report, and whether the node is in its usual state."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeState
from nodehealth.signals import Knowledge, Signal

LATELY: Final = timedelta(minutes=10)


class Change(IntEnum):
    """How soon a change must be told."""

    NONE = 0
    ORDINARY = 1
    URGENT = 2


def between(
    sent: NodeHealthStatus | None,
    newest: NodeHealthStatus,
    catalogue: Mapping[str, Signal] = CATALOGUE,
) -> Change:
    """Compare what was sent with what is known now."""
    if sent is None:
        return Change.ORDINARY
    if _facts(sent) == _facts(newest):
        return Change.NONE
    urgent = _urgent(sent, catalogue) != _urgent(newest, catalogue)
    return Change.URGENT if urgent else Change.ORDINARY


def is_nominal(
    status: NodeHealthStatus, now: datetime, catalogue: Mapping[str, Signal] = CATALOGUE
) -> bool:
    """Say whether the seldom refresh is enough.

    It is while every probe is well, every level is known, and nothing urgent happened lately: what
    hardware mended itself happens all day on a node that works. A level's value never counts,
    however bad: that would be a verdict, and each change of it is told anyway.
    """
    well = all(probe.state is ProbeState.OK for probe in status.probes)
    known = all(level.knowledge is not Knowledge.UNKNOWN for level in status.levels)
    happened = (each for each in status.events if _is_urgent(each, catalogue))
    return well and known and not any(_is_recent(each, now) for each in happened)


def _facts(status: NodeHealthStatus) -> tuple[object, ...]:
    return status.boot_id, status.driver_version, status.levels, status.events, status.probes


def _urgent(status: NodeHealthStatus, catalogue: Mapping[str, Signal]) -> tuple[Level | Event, ...]:
    everything: tuple[Level | Event, ...] = (*status.levels, *status.events)
    return tuple(each for each in everything if _is_urgent(each, catalogue))


def _is_urgent(told: Level | Event, catalogue: Mapping[str, Signal]) -> bool:
    return told.name in catalogue and catalogue[told.name].urgent


def _is_recent(event: Event, now: datetime) -> bool:
    until = event.history.until
    return until is not None and timedelta() <= now - until < LATELY
