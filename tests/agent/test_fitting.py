"""A report never outgrows its share of etcd, and says what it left out."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent import fitting, packing
from nodehealth import history
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.history import History
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WELL = ProbeReport(name="filesystems", state=ProbeState.OK, since=NOON)
FIELDS = {"device": "/dev/nvme0n1p1", "fstype": "ext4"}


def past(count: int, last: datetime = NOON) -> History:
    known = History()
    for back in reversed(range(count)):
        known = history.record(known, last - timedelta(minutes=back, microseconds=1))
    return known


def level(
    number: int,
    *,
    flips: int = 0,
    knowledge: Knowledge = Knowledge.KNOWN,
    value: float = 0.5,
    name: str = "disk.free_ratio",
) -> Level:
    at = NOON + timedelta(minutes=number)
    return Level(
        name=name,
        subject=f"/data{number}",
        value=value,
        since=at,
        knowledge=knowledge,
        fields=FIELDS,
        flips=past(flips, at),
    )


def broken(number: int, value: float) -> Level:
    at = NOON + timedelta(minutes=number)
    return Level(name="disk.read_only", subject=f"/data{number}", value=value, since=at)


def summed(number: int) -> Event:
    at = NOON + timedelta(minutes=number)
    past = History(last=(at,), until=at)
    return Event(name="gpu.xid", subject=f"GPU-{number}", boot_id="b", history=past)


def event(number: int) -> Event:
    return Event(
        name="gpu.xid",
        subject=f"GPU-{number}",
        boot_id="b",
        fields={"code": 79},
        history=past(16, NOON + timedelta(minutes=number)),
    )


def status(levels: list[Level], events: list[Event] | None = None) -> NodeHealthStatus:
    return NodeHealthStatus(levels=tuple(levels), events=tuple(events or []), probes=(WELL,))


def fit(whole: NodeHealthStatus, now: datetime, limit: int = fitting.LIMIT) -> NodeHealthStatus:
    return fitting.fit(whole, now, limit).status


def has(fitted: NodeHealthStatus, levels: list[Level]) -> bool:
    return all(each in fitted.levels for each in levels)


def test_a_report_that_fits_is_left_alone() -> None:
    whole = status([level(n, flips=16) for n in range(4)])

    assert fit(whole, NOON) == whole


def test_the_flips_that_are_oldest_are_left_out_first() -> None:
    whole = status([level(n, flips=16) for n in range(15)])

    fitted = fit(whole, NOON, packing.size(whole) * 3 // 4)

    kept = [each.flips != History() for each in fitted.levels]
    assert len(kept) == 15
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (False, True)


def test_levels_that_do_not_apply_go_before_events() -> None:
    absent = [level(n, knowledge=Knowledge.NOT_APPLICABLE) for n in range(30)]
    whole = status([*absent, level(30)], [event(1)])

    fitted = fit(whole, NOON)

    assert level(30) in fitted.levels
    assert fitted.events == (event(1),)


def test_events_lose_their_counts_of_long_ago_before_any_level_goes() -> None:
    levels = [level(n) for n in range(10)]
    whole = status(levels, [event(n) for n in range(9)])

    fitted = fit(whole, NOON, limit=packing.size(whole) - 100)

    kept = [bool(each.history.hours) for each in fitted.events]
    assert fitted.levels == tuple(levels)
    assert (kept, {len(each.history.last) for each in fitted.events}) == (sorted(kept), {16})
    assert {True, False} == set(kept)


def test_what_is_good_goes_before_what_happened_and_what_is_bad_goes_last() -> None:
    good = [broken(n, value=0.0) for n in range(20)]
    bad = [broken(n, value=1.0) for n in range(20, 40)]
    whole = status([*bad, *good], [summed(n) for n in range(20)])

    some_good = fit(whole, NOON, limit=packing.size(whole) - 500)
    some_events = fit(whole, NOON, limit=packing.size(whole) // 2)
    some_bad = fit(whole, NOON, limit=1500)

    assert (len(some_good.events), has(some_good, bad)) == (20, True)
    assert some_events.levels == tuple(bad)
    assert 0 < len(some_events.events) < 20
    assert some_bad.events == ()
    assert 0 < len(some_bad.levels) < 20
    assert all(each in bad for each in some_bad.levels)


def test_what_is_bad_since_long_ago_outlives_what_is_good_since_lately() -> None:
    whole = status([broken(0, value=1.0), *(broken(n, value=0.0) for n in range(1, 100))])

    fitted = fit(whole, NOON)

    assert broken(0, value=1.0) in fitted.levels


def test_how_bad_a_share_is_depends_on_what_it_is_a_share_of() -> None:
    full = [level(n, value=0.01) for n in range(30)]
    empty = [level(n, value=0.99) for n in range(30, 60)]
    calm = [level(n, value=0.0, name="memory.pressure_full_avg60") for n in range(30)]

    fitted = fit(status([*full, *empty, *calm]), NOON)

    assert has(fitted, full)


def test_of_what_is_equally_bad_the_newest_goes_last() -> None:
    whole = status([level(n) for n in range(60)])

    fitted = fit(whole, NOON)

    assert fitted.levels == tuple(level(n) for n in range(60 - len(fitted.levels), 60))


SMALL = 7 * 1024
"""Bytes of a report that is to be cut."""


def test_what_is_left_out_is_said() -> None:
    events = [event(n) for n in range(60, 63)]
    whole = status([level(n, flips=16) for n in range(60)], events)

    report = fit(whole, NOON, SMALL).probes[-1]

    assert (report.name, report.state, report.since) == ("report", ProbeState.FAILED, NOON)
    found = re.fullmatch(
        "left out of a report that is too large: "
        r"flips of 60 levels, counts of 3 events, (\d+) levels, 0 events",
        report.message,
    )
    assert found is not None
    assert int(found[1]) == 60 - len(fit(whole, NOON, SMALL).levels)


def test_while_only_flips_are_left_out_nothing_is_missing() -> None:
    whole = status([level(n, flips=16) for n in range(26)])

    report = fit(whole, NOON, SMALL).probes[-1]

    assert (report.name, report.state) == ("report", ProbeState.OK)
    assert report.message.startswith("left out of a report that is too large: flips of ")


@given(
    flips=st.lists(st.integers(0, 16), max_size=60),
    events=st.integers(0, 40),
    limit=st.integers(1024, 8192),
)
def test_a_report_always_fits_and_nothing_more_than_needed_is_left_out(
    flips: list[int], events: int, limit: int
) -> None:
    levels = [level(n, flips=count) for n, count in enumerate(flips)]
    whole = status(levels, [event(n) for n in range(events)])

    fitted = fit(whole, NOON, limit)

    assert packing.size(fitted) <= limit
    assert (fitted == whole) == (packing.size(whole) <= limit)
    assert {each.subject for each in fitted.levels} <= {each.subject for each in levels}
