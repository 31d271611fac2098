"""What a synthetic agent says of its node: pure, from the symptoms and from what it said before."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from nodehealth import history
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from simulator.fault import Occurrence, Reading, Symptoms

VERSION: Final = "0.1.0+synthetic"
DRIVER: Final = "570.86.15"
"""The version of the GPU driver where there are GPUs."""
_DISK: Final[Mapping[str, int | str]] = {"device": "/dev/sda1", "fstype": "ext4"}
_HEALTHY: Final = (
    Reading(name="disk.free_ratio", subject="/", value=0.5),
    Reading(name="disk.free_inodes_ratio", subject="/", value=0.75),
)
_NOTHING_WRONG: Final = 0.0
"""What every other level shows on a machine that is well."""
_PROBES: Final = ("filesystems",)
_GPU: Final = "GPU-"
"""What the UUIDs of GPUs begin with."""
_FIELDS: Final = msgspec.structs.fields(NodeHealthStatus)

_EventKey: TypeAlias = tuple[str, str, tuple[tuple[str, int | str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The machine as its agent knows it."""

    node_uid: str
    boot_id: str
    refresh: timedelta
    booted_at: datetime
    gpus: int = 0


def first(boot: Boot, symptoms: Symptoms) -> NodeHealthStatus:
    """Return the report of an agent that has just begun: every level since the boot."""
    begun = NodeHealthStatus(
        node_uid=boot.node_uid,
        boot_id=boot.boot_id,
        agent_version=VERSION,
        driver_version=DRIVER if boot.gpus else "",
        reported_at=boot.booted_at,
        refresh_seconds=max(1, round(boot.refresh.total_seconds())),
        probes=tuple(
            ProbeReport(name=name, state=ProbeState.OK, since=boot.booted_at) for name in _PROBES
        ),
        levels=tuple(_level(None, each, boot.booted_at) for each in _healthy_gpus(boot)),
    )
    return following(begun, symptoms, (), boot.booted_at)


def following(
    before: NodeHealthStatus,
    symptoms: Symptoms,
    happened: Iterable[Occurrence],
    now: datetime,
) -> NodeHealthStatus:
    """Return the next report: what the machine shows now, and what has happened since."""
    known = {(level.name, level.subject): level for level in before.levels}
    healed = (_healthy(level) for level in before.levels)
    sick = (
        dataclasses.replace(each, subject=_named(each.subject, before.node_uid))
        for each in symptoms.readings
    )
    shown = {(each.name, each.subject): each for each in (*healed, *_HEALTHY, *sick)}
    levels = tuple(_level(known.get(key), each, now) for key, each in sorted(shown.items()))
    events = {_event_key(each): each for each in before.events}
    for each in happened:
        own = dataclasses.replace(each, subject=_named(each.subject, before.node_uid))
        _count(events, own, before.boot_id, now)
    driver = (symptoms.driver or DRIVER) if before.driver_version else ""
    return msgspec.structs.replace(
        before,
        driver_version=driver,
        levels=levels,
        events=tuple(events.values()),
        reported_at=now,
    )


def explicit(status: NodeHealthStatus) -> dict[str, object]:
    """Return a status with every key present: a merge patch keeps what it does not name."""
    return {each.encode_name: getattr(status, each.name) for each in _FIELDS}


def _level(before: Level | None, reading: Reading, now: datetime) -> Level:
    if before is not None and before.value == reading.value:
        return before
    fields = _DISK if reading.name.startswith("disk.") else {}
    flips = history.History() if before is None else history.record(before.flips, now)
    return Level(
        name=reading.name,
        subject=reading.subject,
        value=reading.value,
        since=now,
        fields=fields,
        flips=flips,
    )


def _healthy_gpus(boot: Boot) -> Iterator[Reading]:
    """Yield what the GPUs of a machine show when nothing is wrong with them."""
    for gpu in range(boot.gpus):
        subject = _named(f"{_GPU}{gpu}", boot.node_uid)
        yield Reading(name="gpu.recovery_action", subject=subject, value=_NOTHING_WRONG)


def _healthy(level: Level) -> Reading:
    """Return what a level shows when nothing is wrong."""
    value = next((each.value for each in _HEALTHY if each.name == level.name), _NOTHING_WRONG)
    return Reading(name=level.name, subject=level.subject, value=value)


def _named(subject: str, machine: str) -> str:
    """Give a GPU a UUID of its own: no two machines have the same card."""
    return f"{subject}-{machine}" if subject.startswith(_GPU) else subject


def _event_key(event: Event | Occurrence) -> _EventKey:
    return event.name, event.subject, tuple(sorted(event.fields.items()))


def _count(
    events: dict[_EventKey, Event], happened: Occurrence, boot_id: str, now: datetime
) -> None:
    key = _event_key(happened)
    known = events.get(key)
    past = history.History() if known is None else known.history
    events[key] = Event(
        name=happened.name,
        subject=happened.subject,
        fields=happened.fields,
        boot_id=boot_id,
        count=happened.count + (0 if known is None else known.count),
        history=history.record(past, now, happened.count),
    )
