"""What is new is told as soon as it deserves."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agent import changes
from agent.changes import Change
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.history import History
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEVEL = Level(name="disk.free_ratio", subject="/", value=0.01, since=NOON)
XID = Event(
    name="gpu.xid", boot_id="b", history=History(last=(NOON,), until=NOON), fields={"code": 79}
)
WELL = ProbeReport(name="filesystems", state=ProbeState.OK, since=NOON)
STATUS = NodeHealthStatus(boot_id="b", levels=(LEVEL,), probes=(WELL,))


def changed(**parts: object) -> NodeHealthStatus:
    return msgspec.structs.replace(STATUS, **parts)


def test_when_nothing_was_sent_everything_is_new() -> None:
    assert changes.between(None, STATUS) is Change.ORDINARY


def test_the_time_of_a_report_is_no_news() -> None:
    assert changes.between(STATUS, changed(reported_at=NOON, refresh_seconds=20)) is Change.NONE


def test_a_level_that_changes_is_told() -> None:
    other = msgspec.structs.replace(LEVEL, value=0.02)

    assert changes.between(STATUS, changed(levels=(other,))) is Change.ORDINARY


def test_another_gpu_driver_is_told() -> None:
    assert changes.between(STATUS, changed(driver_version="580.65.06")) is Change.ORDINARY


def test_a_probe_that_falls_silent_is_told() -> None:
    silent = msgspec.structs.replace(WELL, state=ProbeState.OVERDUE)

    assert changes.between(STATUS, changed(probes=(silent,))) is Change.ORDINARY


def test_an_urgent_signal_is_told_urgently() -> None:
    assert changes.between(STATUS, changed(events=(XID,))) is Change.URGENT


def test_a_signal_that_was_urgent_before_is_no_news() -> None:
    before = changed(events=(XID,))

    assert changes.between(before, changed(events=(XID,), levels=())) is Change.ORDINARY


def test_a_level_however_bad_is_nominal() -> None:
    assert changes.is_nominal(STATUS, NOON)


@pytest.mark.parametrize(
    "status",
    [
        changed(levels=(msgspec.structs.replace(LEVEL, knowledge=Knowledge.UNKNOWN),)),
        changed(probes=(msgspec.structs.replace(WELL, state=ProbeState.FAILED),)),
        changed(events=(XID,)),
    ],
)
def test_what_is_unknown_unwell_or_happened_lately_is_not_nominal(
    status: NodeHealthStatus,
) -> None:
    assert not changes.is_nominal(status, NOON + timedelta(minutes=9))


def test_what_happened_without_urgency_is_nominal() -> None:
    corrected = msgspec.structs.replace(XID, name="memory.ecc_corrected")

    assert changes.is_nominal(changed(events=(corrected,)), NOON)


def test_what_happened_long_ago_is_nominal() -> None:
    assert changes.is_nominal(changed(events=(XID,)), NOON + timedelta(minutes=11))
