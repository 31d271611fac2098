"""Writes are few, and yet the first one after quiet never waits."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent import budget
from agent.budget import DEFAULT, Account
from agent.changes import Change

REFRESH = 300.0


def writes(changes: list[tuple[float, Change]], until: float) -> list[tuple[float, Change]]:
    """Play changes, each after a pause, against the budget; return when what was written."""
    account: Account | None = budget.spent(DEFAULT, None, Change.NONE, 0.0, REFRESH)
    pending, written, now = Change.NONE, list[tuple[float, Change]](), 0.0
    arrivals = iter(changes)
    pause, coming = next(arrivals, (until, Change.NONE))
    arrival = pause
    while True:
        due = max(now, budget.due(DEFAULT, account, pending))
        if min(due, arrival) >= until:
            return written
        if arrival <= due:
            now, pending = arrival, max(pending, coming)
            pause, coming = next(arrivals, (until, Change.NONE))
            arrival = now + pause
            continue
        now = due
        account = budget.spent(DEFAULT, account, pending, now, now + REFRESH)
        written.append((now, pending))
        pending = Change.NONE


def test_the_very_first_report_is_written_at_once() -> None:
    assert budget.due(DEFAULT, None, Change.ORDINARY) == 0.0


def test_the_first_change_after_quiet_is_written_at_once() -> None:
    assert writes([(200.0, Change.ORDINARY)], until=250) == [(200.0, Change.ORDINARY)]


def test_a_quiet_node_only_refreshes() -> None:
    assert writes([], until=1000) == [(at, Change.NONE) for at in (300.0, 600.0, 900.0)]


def test_after_a_burst_of_five_there_is_one_write_in_thirty_seconds() -> None:
    storm = [(200.0, Change.ORDINARY), *[(0.1, Change.ORDINARY)] * 1000]

    at = [round(when, 6) for when, _ in writes(storm, until=300)]

    assert at[:5] == [200.0, 201.0, 202.0, 203.0, 204.0]
    assert [round(two - one) for one, two in itertools.pairwise(at[4:])] == [26, 30, 30]


def test_urgent_changes_go_out_each_second_for_ten_seconds_and_then_each_ten() -> None:
    storm = [(200.0, Change.URGENT), *[(0.1, Change.URGENT)] * 600]

    at = [when for when, _ in writes(storm, until=260)]

    assert sum(200 <= each < 210 for each in at) == 10
    assert all(two - one <= 10.001 for one, two in itertools.pairwise(at))


def test_an_urgent_change_does_not_wait_for_ordinary_ones() -> None:
    storm = [(200.0, Change.ORDINARY), *[(0.1, Change.ORDINARY)] * 100, (1.0, Change.URGENT)]

    last = writes(storm, until=215)[-1]

    assert last[1] is Change.URGENT
    assert abs(last[0] - 211.0) < 1e-6


@given(
    st.lists(
        st.tuples(st.floats(0, 40), st.sampled_from([Change.ORDINARY, Change.URGENT])),
        min_size=1,
        max_size=120,
    )
)
def test_no_span_of_time_ever_holds_more_writes_than_the_budget(
    changes: list[tuple[float, Change]],
) -> None:
    written = writes(changes, until=2000)
    told = [at for at, change in written if change is not Change.NONE]

    for first, start in enumerate(told):
        for count, end in enumerate(told[first:], start=1):
            span = end - start
            assert count <= 5 + span / 30 + 10 + span / 10 + 1e-6
    assert all(two - one >= 1 - 1e-6 for one, two in itertools.pairwise(told))


@given(st.lists(st.floats(0, 40), min_size=1, max_size=120))
def test_ordinary_changes_never_exceed_their_own_bucket(pauses: list[float]) -> None:
    written = writes([(pause, Change.ORDINARY) for pause in pauses], until=2000)
    told = [at for at, change in written if change is Change.ORDINARY]

    for first, start in enumerate(told):
        for count, end in enumerate(told[first:], start=1):
            assert count <= 5 + (end - start) / 30 + 1e-6
