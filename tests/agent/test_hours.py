"""What a counter counted within an hour stands for an hour, and never counts twice."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from agent import hours
from nodehealth.health import Fields


def followed(looks: Iterable[tuple[float, int]]) -> list[int]:
    """Look at a counter again and again, and return what an hour had at most, by then."""
    known: Fields = {}
    told = []
    for uptime, total in looks:
        hour = hours.of(known, total, uptime)
        known = hour.fields
        told.append(hour.most(total))
    return told


def test_what_was_counted_before_the_first_look_counts_for_nothing() -> None:
    assert followed([(100, 9000)]) == [0]


def test_what_happens_is_told_at_once_and_stands_until_a_whole_hour_had_less() -> None:
    told = followed([(0, 0), (60, 150), (3599, 150), (3600, 150), (7199, 150), (7200, 150)])

    assert told == [0, 150, 150, 150, 150, 0]


def test_what_is_spread_over_the_day_is_never_much_within_an_hour() -> None:
    told = followed((uptime, uptime // 40) for uptime in range(0, 86_400, 30))

    assert max(told) == 90


def test_an_hour_that_nobody_looked_at_has_its_share_of_the_time_between() -> None:
    assert followed([(0, 0), (36_000, 1000)]) == [0, 100]


def test_a_counter_that_began_anew_keeps_what_the_hour_before_had() -> None:
    assert followed([(0, 0), (3600, 500), (3660, 3), (3720, 4)]) == [0, 500, 500, 500]


@given(st.lists(st.tuples(st.integers(1, 3599), st.integers(0, 200)), min_size=1))
def test_no_hour_has_more_than_was_counted_in_all(steps: list[tuple[int, int]]) -> None:
    looks = [(0, 0)]
    for seconds, more in steps:
        looks.append((looks[-1][0] + seconds, looks[-1][1] + more))

    assert max(followed(looks)) <= looks[-1][1]
