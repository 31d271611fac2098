"""The past keeps its size and never counts less than the truth."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth import history
from nodehealth.history import FIVE_MINUTES, HOUR, History

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def recorded(*minutes: float) -> History:
    past = History()
    for each in minutes:
        past = history.record(past, NOON + timedelta(minutes=each))
    return past


def test_few_events_are_counted_exactly() -> None:
    past = recorded(0, 1, 2, 30)

    assert history.count_since(past, NOON + timedelta(minutes=2)) == 2


def test_a_burst_is_remembered_as_sixteen_times_and_its_whole_count() -> None:
    past = recorded(*[n / 10 for n in range(40)])

    assert len(past.last) == 16
    assert history.count_since(past, NOON) == 40


def test_of_a_window_longer_than_a_day_the_last_day_is_counted() -> None:
    past = recorded(*[n / 10 for n in range(40)], 60 * 20)

    assert history.count_since(past, NOON - timedelta(days=2)) == 41


def test_a_report_without_buckets_counts_what_it_has() -> None:
    bare = History(last=tuple(NOON for _ in range(16)), until=NOON)

    assert history.count_since(bare, NOON) == 16


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=90), min_size=1, max_size=80),
    back=st.floats(min_value=0, max_value=23 * 60),
)
def test_a_count_is_never_less_than_the_truth(gaps: list[float], back: float) -> None:
    times, at = [], NOON
    past = History()
    for gap in gaps:
        at += timedelta(minutes=gap)
        times.append(at)
        past = history.record(past, at)
    since = at - timedelta(minutes=back)

    counted = history.count_since(past, since)

    assert counted >= sum(each >= since for each in times)
    assert len(past.last) <= 16
    assert len(past.five_minutes) == 12
    assert len(past.hours) == 24


def test_a_clock_that_jumps_back_adds_to_the_newest_bucket() -> None:
    past = history.record(recorded(10), NOON)

    assert past.until == NOON + timedelta(minutes=10)
    assert past.five_minutes[-1] == 2


@given(
    st.lists(st.floats(0, 24 * 60), max_size=80),
    st.floats(0, 60),
    st.sampled_from([timedelta(minutes=5), timedelta(minutes=55), HOUR, 23 * HOUR]),
)
def test_a_window_that_is_not_refused_is_counted_to_the_bucket(
    minutes: list[float], later: float, within: timedelta
) -> None:
    times = [NOON + timedelta(minutes=each) for each in sorted(minutes)]
    past = recorded(*sorted(minutes))
    now = (times[-1] if times else NOON) + timedelta(minutes=later)
    bucket = FIVE_MINUTES if within < HOUR else HOUR
    counted = history.count_since(past, now - within)

    assert history.refusal(within, 99) == ""
    assert sum(now - within <= each for each in times) <= counted
    assert counted <= sum(now - within - bucket < each for each in times)


@pytest.mark.parametrize(
    ("within", "count", "said"),
    [
        (timedelta(hours=25), 1, "agents remember one day"),
        (timedelta(minutes=7), 16, ""),
        (timedelta(minutes=7), 17, "more than 16 times are only counted in whole buckets"),
        (timedelta(hours=24), 17, "more than 16 times are only counted in whole buckets"),
        (timedelta(hours=24), 16, ""),
    ],
)
def test_what_the_past_can_not_tell_is_refused(within: timedelta, count: int, said: str) -> None:
    assert history.refusal(within, count).partition(":")[0] == said
