"""A report never outgrows its share of etcd, and says what it left out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent import fitting
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


def level(number: int, *, flips: int = 0, knowledge: Knowledge = Knowledge.KNOWN) -> Level:
    at = NOON + timedelta(minutes=number)
    return Level(
        name="disk.free_ratio",
        subject=f"/data{number}",
        value=0.5,
        since=at,
        knowledge=knowledge,
        fields=FIELDS,
        flips=past(flips, at),
    )


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


def test_a_report_that_fits_is_left_alone() -> None:
    whole = status([level(n, flips=16) for n in range(4)])

    assert fitting.fit(whole, NOON) == whole


def test_the_flips_that_are_oldest_are_left_out_first() -> None:
    whole = status([level(n, flips=16) for n in range(15)])

    fitted = fitting.fit(whole, NOON)

    kept = [each.flips != History() for each in fitted.levels]
    assert len(kept) == 15
    assert kept == sorted(kept)
    assert True in kept


def test_levels_that_do_not_apply_go_before_events() -> None:
    absent = [level(n, knowledge=Knowledge.NOT_APPLICABLE) for n in range(30)]
    whole = status([*absent, level(30)], [event(1)])

    fitted = fitting.fit(whole, NOON)

    assert level(30) in fitted.levels
    assert fitted.events == (event(1),)


def test_the_newest_facts_go_last() -> None:
    whole = status([level(n) for n in range(60)], [event(n) for n in (1, 60)])

    fitted = fitting.fit(whole, NOON)

    assert fitted.events == (event(60),)
    assert fitted.levels == tuple(level(n) for n in range(60 - len(fitted.levels), 60))


def test_what_is_left_out_is_said() -> None:
    whole = status([level(n, flips=16) for n in range(15)])

    report = fitting.fit(whole, NOON).probes[-1]

    assert (report.name, report.state) == ("report", ProbeState.FAILED)
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

    fitted = fitting.fit(whole, NOON, limit)

    assert fitting.size(fitted) <= limit
    assert (fitted == whole) == (fitting.size(whole) <= limit)
    assert {each.subject for each in fitted.levels} <= {each.subject for each in levels}
