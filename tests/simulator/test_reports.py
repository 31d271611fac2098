"""Synthetic agents say what real ones would, in values that the catalogue has."""

import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from nodehealth.catalogue import CATALOGUE
from nodehealth.health import NodeHealthStatus
from nodehealth.signals import Kind
from simulator import reports
from simulator.fault import Fault, Symptoms, merged
from simulator.faults.disk_full import DiskFull
from simulator.faults.driver_changed import DriverChanged
from simulator.faults.xid import Xid
from simulator.reports import Boot

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)
BOOT = Boot(node_uid="n", boot_id="b", refresh=timedelta(minutes=5), booted_at=NOON)
HEALTHY = reports.first(BOOT, Symptoms())


def _value(status: NodeHealthStatus, subject: str) -> float | None:
    (level,) = [
        one for one in status.levels if (one.name, one.subject) == ("disk.free_ratio", subject)
    ]
    return level.value


def test_a_level_that_changes_says_since_when_and_that_it_flipped() -> None:
    sick = reports.following(HEALTHY, DiskFull().symptoms(), (), LATER)

    (level,) = [one for one in sick.levels if one.name == "disk.free_ratio"]
    assert (level.value, level.since, level.flips.last) == (0.0, LATER, (LATER,))


def test_what_does_not_change_keeps_its_time() -> None:
    again = reports.following(HEALTHY, Symptoms(), (), LATER)

    assert again.levels == HEALTHY.levels
    assert again.reported_at == LATER


def test_a_driver_is_where_gpus_are_and_may_become_another_one_for_a_while() -> None:
    first = reports.first(dataclasses.replace(BOOT, gpus=8), Symptoms())
    changed = reports.following(first, DriverChanged(version="580.1").symptoms(), (), LATER)
    back = reports.following(changed, Symptoms(), (), LATER)
    none = reports.following(HEALTHY, DriverChanged().symptoms(), (), LATER)

    told = [each.driver_version for each in (first, changed, back, none)]
    assert told == [reports.DRIVER, "580.1", reports.DRIVER, ""]


@pytest.mark.parametrize("mount", ["/", "/data"])
def test_a_disk_that_was_full_shows_that_it_no_longer_is(mount: str) -> None:
    sick = reports.following(HEALTHY, DiskFull(mount=mount).symptoms(), (), LATER)
    mended = reports.following(sick, Symptoms(), (), LATER)

    assert _value(sick, mount) == 0
    assert _value(mended, mount) == _value(HEALTHY, "/")


def test_events_of_one_kind_are_counted_together() -> None:
    happened = (*Xid(code=79).symptoms().occurrences, *Xid(code=79, times=2).symptoms().occurrences)
    status = reports.following(HEALTHY, Symptoms(), happened, LATER)

    (event,) = status.events
    assert (event.count, event.boot_id, event.history.last) == (3, "b", (LATER,) * 3)


def test_no_two_machines_have_the_same_card() -> None:
    happened = Xid().symptoms().occurrences
    other = reports.first(dataclasses.replace(BOOT, node_uid="m"), Symptoms())

    said = [reports.following(each, Symptoms(), happened, LATER) for each in (HEALTHY, other)]

    assert [each.events[0].subject for each in said] == ["GPU-0-n", "GPU-0-m"]


@pytest.mark.parametrize("fault", [DiskFull(free=0.02), Xid()])
def test_everything_that_is_said_is_in_the_catalogue(fault: Fault) -> None:
    symptoms = fault.symptoms()
    status = reports.following(HEALTHY, symptoms, symptoms.occurrences, LATER)

    for level in status.levels:
        signal = CATALOGUE[level.name]
        assert signal.kind is Kind.LEVEL
        assert signal.grid.holds(level.value or 0)
        assert level.fields.keys() == signal.fields.keys()
    for event in status.events:
        assert CATALOGUE[event.name].kind is Kind.EVENT
        assert event.fields.keys() <= CATALOGUE[event.name].fields.keys()


def test_every_key_of_a_report_is_written() -> None:
    written = msgspec.to_builtins(reports.explicit(HEALTHY))

    assert written["events"] == ()
    assert written.keys() == {one.encode_name for one in msgspec.structs.fields(NodeHealthStatus)}


def test_the_symptoms_of_two_faults_add_up() -> None:
    both = merged([DiskFull().symptoms(), DiskFull(mount="/data").symptoms(), Xid().symptoms()])

    assert [one.subject for one in both.readings] == ["/", "/data"]
    assert len(both.occurrences) == 1
