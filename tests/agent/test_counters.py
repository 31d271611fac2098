"""What counters say is never more than what happened."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import state
from agent.readings import Counter, ReadingError
from agent.state import State
from nodehealth.health import Level, ProbeState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KILLS, ERRORS = "memory.oom_kills", "net.errors"
PROBE = "counting"


def fresh(kept: State | None = None, *, boot_id: str = "b1") -> State:
    return state.begin(kept, boot_id=boot_id, node_uid="u1", probes=[PROBE], now=NOON)


def told(known: State, name: str, total: int, uptime: float, subject: str = "") -> State:
    counter = Counter(name=name, subject=subject, total=total, uptime=uptime)
    return state.answered(known, PROBE, [counter], NOON + timedelta(seconds=uptime))


def counted(known: State) -> int:
    return sum(each.count for each in known.events)


def rates(known: State) -> Sequence[Level]:
    return known.levels[PROBE]


def test_what_was_counted_before_anybody_looked_is_not_told() -> None:
    known = told(fresh(), KILLS, 7, 100)

    assert (counted(known), known.levels[PROBE]) == (0, ())


def test_growth_is_counted_when_it_is_seen() -> None:
    known = told(told(told(fresh(), KILLS, 7, 100), KILLS, 9, 130), KILLS, 9, 160)

    (event,) = known.events
    assert (event.name, event.count, event.boot_id) == (KILLS, 2, "b1")
    assert event.history.last == (NOON + timedelta(seconds=130),) * 2


def test_a_rate_is_growth_by_the_time_it_took() -> None:
    known = told(told(fresh(), ERRORS, 1000, 100, "eth0"), ERRORS, 1300, 130, "eth0")

    (rate,) = rates(known)
    assert (rate.name, rate.subject, rate.value) == (ERRORS, "eth0", 10)


def test_nanoseconds_become_the_share_of_the_time_that_they_took() -> None:
    known, slow = fresh(), "gpu.sw_thermal_slowdown_ratio"
    for nanoseconds, uptime in ((5 * 10**9, 100.0), (17 * 10**9, 130.0)):
        counter = Counter(name=slow, total=nanoseconds, uptime=uptime, scale=1e-9)
        known = state.answered(known, PROBE, [counter], NOON)

    assert [each.value for each in rates(known)] == [0.4]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_that_makes_no_rate_is_refused(scale: float) -> None:
    counter = Counter(name=ERRORS, total=1, uptime=1, scale=scale)

    with pytest.raises(ReadingError, match=r"net\.errors: expected a finite scale > 0, got"):
        state.answered(fresh(), PROBE, [counter], NOON)


def test_an_event_is_not_counted_in_parts() -> None:
    counter = Counter(name=KILLS, total=1, uptime=1, scale=0.5)

    with pytest.raises(ReadingError, match=r"expected a scale of 1 for an event, got 0\.5"):
        state.answered(fresh(), PROBE, [counter], NOON)


def test_a_counter_that_stands_still_has_a_rate_of_nothing() -> None:
    known = told(told(fresh(), ERRORS, 1000, 100), ERRORS, 1000, 130)

    assert [each.value for each in rates(known)] == [0]


def test_what_grew_while_the_agent_was_away_in_one_boot_is_counted_once() -> None:
    known = told(told(fresh(), KILLS, 1, 100), KILLS, 2, 130)
    kept = msgspec.json.decode(msgspec.json.encode(known), type=State)

    again = told(told(fresh(kept), KILLS, 5, 500), KILLS, 5, 530)

    assert counted(again) == 4


def test_a_reboot_begins_anew_even_if_the_counter_is_higher() -> None:
    known = told(told(fresh(), KILLS, 1, 100), KILLS, 2, 130)

    rebooted = fresh(known, boot_id="b2")
    rebooted = told(told(rebooted, KILLS, 50, 200), KILLS, 51, 230)

    assert counted(rebooted) == 1


def test_two_subjects_are_counted_apart() -> None:
    both = [Counter(name="net.flaps", subject=name, total=4, uptime=1) for name in ("a", "b")]
    grown = [Counter(name="net.flaps", subject="a", total=6, uptime=2), both[1]]
    known = state.answered(fresh(), PROBE, both, NOON)

    known = state.answered(known, PROBE, grown, NOON)

    assert [(each.subject, each.count) for each in known.events] == [("a", 2)]


def test_a_subject_that_was_away_begins_anew() -> None:
    known = told(fresh(), "net.flaps", 4, 1, "a")

    known = told(told(known, "net.flaps", 0, 2, "b"), "net.flaps", 90, 3, "a")

    assert counted(known) == 0


def test_a_look_that_failed_forgets_no_growth() -> None:
    known = told(fresh(), KILLS, 1, 100)
    known = state.unanswered(known, PROBE, ProbeState.OVERDUE, "late", NOON)

    assert counted(told(known, KILLS, 4, 160)) == 3


def test_a_look_at_the_same_moment_makes_no_rate() -> None:
    known = told(told(fresh(), ERRORS, 1, 100), ERRORS, 900, 100)

    assert rates(known) == ()


def test_two_looks_at_the_same_moment_lose_no_event() -> None:
    assert counted(told(told(fresh(), KILLS, 1, 100), KILLS, 4, 100)) == 3


@pytest.mark.parametrize("after", [0, 3, 2**32 - 2])
def test_one_that_fell_counts_nothing_for_that_once(after: int) -> None:
    known = told(told(fresh(), ERRORS, 2**32 - 1, 100), ERRORS, after, 130)

    assert [each.value for each in rates(known)] == [0]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("happens"), st.integers(0, 1000)),
        st.tuples(st.just("is reset"), st.just(0)),
        st.tuples(st.just("reboots"), st.integers(0, 1000)),
        st.tuples(st.just("agent restarts"), st.just(0)),
        st.tuples(st.just("is read"), st.just(0)),
    ),
    max_size=40,
)


@given(steps=STEPS, width=st.sampled_from([2**8, 2**32, 2**64]), begin=st.integers(0, 2**16))
def test_no_reset_wrap_reboot_or_restart_ever_inflates(
    steps: list[tuple[str, int]], width: int, begin: int
) -> None:
    known, uptime, boot, happened = fresh(), 0.0, 1, 0
    total = begin % width
    for what, number in steps:
        uptime += 1
        match what:
            case "happens":
                happened, total = happened + number, (total + number) % width
            case "is reset":
                total = 0
            case "reboots":
                boot, uptime, total = boot + 1, 0.0, number % width
                known = fresh(known, boot_id=f"b{boot}")
            case "agent restarts":
                known = fresh(known, boot_id=f"b{boot}")
            case _:
                known = told(known, KILLS, total, uptime)

    assert counted(known) <= happened


@given(steps=st.lists(st.tuples(st.integers(0, 2**70), st.floats(1, 3600)), min_size=2))
def test_a_rate_is_never_below_nothing(steps: list[tuple[int, float]]) -> None:
    known, uptime = fresh(), 0.0
    for total, seconds in steps:
        uptime += seconds
        known = told(known, ERRORS, total, uptime)

        assert all(each.value is not None and each.value >= 0 for each in rates(known))
