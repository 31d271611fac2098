"""Disruption begins inside a window, by the clocks of a place that are set forward and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.repair import Joined, Mode, NodeRepairStatus, Severity
from remediator.decide import joined, windows
from remediator.decide.limits import Refused, Why
from remediator.decide.moves import Other, View, Wellness
from remediator.rules.policy import POOL_LIMIT, Policy, Pool
from remediator.rules.windows import ALWAYS, Window, Windows
from tests.builders import ledger, repair

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    BERLIN,
    ZoneInfo("UTC"),
    ZoneInfo("America/New_York"),
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("Australia/Lord_Howe"),
]
"""One has no summer time, one sets its clocks by half an hour, one is half an hour off."""
WEEKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))


def window(
    opens: str, closes: str, *, days: frozenset[int] = EVERY_DAY, zone: ZoneInfo = BERLIN
) -> Window:
    return Window(days=days, opens=_minute(opens), closes=_minute(closes), zone=zone)


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def only(*open_: Window) -> Windows:
    return Windows(open=open_)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHTS = only(window("22:00", "06:00", days=WEEKDAYS))


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-01-05 20:59", False),  # Monday, 21:59 in Berlin
        ("2026-01-05 21:00", True),
        ("2026-01-06 04:59", True),
        ("2026-01-06 05:00", False),
        ("2026-01-10 04:30", True),  # Saturday early: the night that began on Friday
        ("2026-01-10 21:30", False),  # Saturday night
        ("2026-01-12 04:30", False),  # Monday early: Sunday night
    ],
)
def test_a_window_that_passes_midnight_belongs_to_the_day_it_begins_on(
    now: str, *, is_open: bool
) -> None:
    assert windows.is_open(NIGHTS, utc(now)) is is_open


def test_the_same_hours_of_a_day_are_by_the_clocks_of_the_place() -> None:
    lunch = only(window("12:00", "13:00"))

    assert windows.is_open(lunch, utc("2026-01-05 11:30"))
    assert windows.is_open(lunch, utc("2026-07-06 10:30"))


def test_a_window_that_ends_as_it_begins_lasts_a_day() -> None:
    all_day = only(window("08:00", "08:00", days=frozenset({0}), zone=ZoneInfo("UTC")))
    hours = [utc("2026-01-05 00:00") + timedelta(hours=n) for n in range(48)]

    assert [each for each in hours if windows.is_open(all_day, each)] == hours[8:32]


def test_without_windows_it_is_always_open() -> None:
    assert windows.is_open(ALWAYS, utc("2026-01-05 11:30"))


def test_of_several_windows_one_is_enough() -> None:
    both = only(window("01:00", "02:00"), window("12:00", "13:00"))

    assert windows.is_open(both, utc("2026-01-05 00:30"))
    assert windows.is_open(both, utc("2026-01-05 11:30"))


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-01-05 12:00", "2026-01-05 21:00"),
        ("2026-01-10 05:00", "2026-01-12 21:00"),  # over the weekend
        ("2026-01-05 20:59:30", "2026-01-05 21:00"),
    ],
)
def test_the_next_opening_is_found(now: str, opens: str) -> None:
    assert windows.next_opening(NIGHTS, utc(now)) == utc(opens)


def test_a_window_whose_beginning_no_clock_shows_opens_when_the_clocks_are_past_it() -> None:
    skipped = only(window("02:30", "04:00"))

    opens = windows.next_opening(skipped, utc("2026-03-28 12:00"))

    assert opens == utc("2026-03-29 01:00")  # two o'clock is three o'clock in Berlin


def test_a_window_of_which_no_clock_shows_a_minute_does_not_open_that_day() -> None:
    skipped = only(window("02:10", "02:50"))

    opens = windows.next_opening(skipped, utc("2026-03-28 12:00"))

    assert opens == utc("2026-03-30 00:10")


def test_an_hour_that_clocks_show_twice_counts_twice() -> None:
    twice = only(window("02:10", "02:50"))
    minutes = [utc("2026-10-24 22:00") + timedelta(minutes=n) for n in range(240)]

    assert sum(windows.is_open(twice, each) for each in minutes) == 80
    assert windows.next_opening(twice, utc("2026-10-25 00:55")) == utc("2026-10-25 01:10")


def test_a_window_that_never_opens_has_no_next_opening() -> None:
    never = only(window("12:00", "13:00", days=frozenset()))

    assert windows.next_opening(never, utc("2026-01-05 12:00")) is None


MINUTES = st.integers(0, 24 * 60 - 1)
SOME_WINDOWS = st.lists(
    st.builds(
        Window,
        days=st.frozensets(st.integers(0, 6), min_size=1),
        opens=MINUTES,
        closes=st.integers(0, 24 * 60),
        zone=st.sampled_from(ZONES),
    ),
    min_size=1,
    max_size=3,
).map(lambda each: Windows(open=tuple(each)))
CHANGES = [utc(day) for day in ("2026-03-28 20:00", "2026-10-24 20:00", "2026-04-04 10:00")]
MOMENTS = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001 - hypothesis wants it so
        lambda each: each.replace(tzinfo=UTC)
    ),
    st.builds(
        lambda near, minutes: near + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(0, 12 * 60),
    ),
)


@given(SOME_WINDOWS, MOMENTS)
def test_the_next_opening_is_the_first_minute_at_which_a_window_is_open(
    some: Windows, now: datetime
) -> None:
    opens = windows.next_opening(some, now)

    later = now.replace(second=0, microsecond=0)
    minutes = (later + timedelta(minutes=n) for n in range(1, 8 * 24 * 60))
    assert opens == next((each for each in minutes if windows.is_open(some, each)), None)


def policy(*, own: Windows | None, of_all: Windows) -> Policy:
    pool = Pool(name="w", labels={}, limit=POOL_LIMIT, windows=own)
    return Policy(pools=(pool,), windows=of_all)


NEVER = only(window("12:00", "13:00", days=frozenset()))
MONDAY = utc("2026-01-05 12:00")


def test_outside_its_windows_nothing_is_disrupted_and_the_next_one_is_named() -> None:
    refused = windows.refusal({Severity.WARNING}, ("w",), policy(own=None, of_all=NIGHTS), MONDAY)

    assert refused is not None
    assert refused.why is Why.OUTSIDE_WINDOW
    assert refused.until == utc("2026-01-05 21:00")
    assert refused.message == (
        "outside the maintenance windows of pool w; the next one opens at 22:00 on Monday, "
        "2026-01-05 (Europe/Berlin)"
    )


def test_inside_its_windows_it_may_be() -> None:
    assert (
        windows.refusal(
            {Severity.WARNING}, ("w",), policy(own=None, of_all=NIGHTS), utc("2026-01-05 23:00")
        )
        is None
    )


@pytest.mark.parametrize(("own", "of_all"), [(ALWAYS, NEVER), (NIGHTS, ALWAYS)])
def test_what_a_pool_says_itself_holds_for_it(own: Windows, of_all: Windows) -> None:
    refused = windows.refusal({Severity.WARNING}, ("w",), policy(own=own, of_all=of_all), MONDAY)

    assert (refused is None) is (own is ALWAYS)


def test_every_pool_of_a_node_must_be_open() -> None:
    mixed = policy(own=NIGHTS, of_all=NEVER)

    refused = windows.refusal(
        {Severity.WARNING}, ("w", "default", "w"), mixed, utc("2026-01-05 23:00")
    )

    assert refused is not None
    assert refused.message == "outside the maintenance windows of pool default"


def test_what_is_bad_enough_does_not_wait() -> None:
    but_critical = Windows(open=NEVER.open, excepted=frozenset({Severity.CRITICAL}))
    given_ = policy(own=None, of_all=but_critical)

    assert windows.refusal({Severity.CRITICAL}, ("w",), given_, MONDAY) is None
    assert windows.refusal({Severity.WARNING}, ("w",), given_, MONDAY) is not None
    assert windows.refusal(frozenset(), ("w",), given_, MONDAY) is not None


@pytest.mark.parametrize(
    ("mode", "well", "waits"),
    [
        (Mode.ENFORCE, Wellness(holds=True), False),
        (Mode.OBSERVE, Wellness(holds=True), True),
        (Mode.ENFORCE, Wellness(over=True, heard_at=MONDAY), True),
        (Mode.ENFORCE, Wellness(), True),
    ],
    ids=["holds", "only watches", "over", "unknown"],
)
def test_a_fault_that_joined_need_not_wait_either_while_it_holds_and_may_act(
    mode: Mode, well: Wellness, *, waits: bool
) -> None:
    assert (_refusal_beside(mode, well) is not None) is waits


def _refusal_beside(mode: Mode, well: Wellness) -> Refused | None:
    """Ask for a warning that something critical joined."""
    but_critical = Windows(open=NEVER.open, excepted=frozenset({Severity.CRITICAL}))
    given_ = policy(own=None, of_all=but_critical)
    worse = Joined(rule="gpu-lost", severity=Severity.CRITICAL, mode=mode, since=MONDAY)
    made = repair(severity=Severity.WARNING, status=NodeRepairStatus(faults=(worse,)))
    view = View(
        repair=made,
        node=None,
        ledger=ledger(),
        well=Wellness(holds=True),
        now=MONDAY,
        others=(Other(fault=worse, well=well, allowed=mode),),
    )
    return windows.refusal(joined.holding(view), ("w",), given_, MONDAY)
