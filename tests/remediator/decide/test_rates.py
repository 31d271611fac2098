"""What is spent comes back with time and with nothing else, whatever the clock does."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nodehealth.ledger import EVER, Bucket, RepairLedgerStatus
from remediator.decide import rates
from remediator.decide.rates import Dry, Kind, Spending
from remediator.rules.policy import FULL_WITHIN, Rate
from tests.builders import NOON, at

RATE = Rate(most=6, per=timedelta(hours=1), burst=2)
HOUR = timedelta(hours=1)
FULL = RepairLedgerStatus(known_since=EVER)


def spending(scope: str = "cluster", *, rate: Rate = RATE) -> Spending:
    return Spending(scope=scope, kind=Kind.DISRUPTIONS, rate=rate)


def begin(status: RepairLedgerStatus, now: datetime, count: int = 1) -> RepairLedgerStatus:
    """Begin some actions that there must be tokens for."""
    for _ in range(count):
        after = rates.spent(status, [spending()], now)
        assert isinstance(after, RepairLedgerStatus)
        status = after
    return status


def is_dry(status: RepairLedgerStatus, now: datetime) -> bool:
    return isinstance(rates.spent(status, [spending()], now), Dry)


def test_a_ledger_that_always_knew_has_a_burst() -> None:
    status = begin(FULL, NOON, 2)

    assert status.buckets == {"cluster/disruptions": Bucket(tokens=0.0, at=NOON)}
    assert is_dry(status, NOON)


def test_a_dry_bucket_says_when_it_has_a_token_and_has_it_then() -> None:
    status = begin(FULL, NOON, 2)

    dry = rates.spent(status, [spending()], at(60))

    assert dry == Dry(spending=spending(), after=timedelta(seconds=541))
    assert not is_dry(status, at(60 + 541))


def test_the_driest_of_several_scopes_says_how_long() -> None:
    slow = spending("pool", rate=Rate(most=2, per=HOUR, burst=1))
    status = rates.spent(begin(FULL, NOON, 2), [slow], NOON)
    assert isinstance(status, RepairLedgerStatus)

    dry = rates.spent(status, [spending(), slow], NOON)

    assert dry == Dry(spending=slow, after=timedelta(seconds=1801))


def test_nothing_is_spent_where_one_bucket_is_dry() -> None:
    full, dry = spending("pool"), spending()

    answer = rates.spent(begin(FULL, NOON, 2), [full, dry], NOON)

    assert isinstance(answer, Dry)


def test_a_bucket_holds_no_more_than_its_burst() -> None:
    later = begin(begin(FULL, NOON), at(86_400), 2)

    assert is_dry(later, at(86_400))


def test_a_slower_rate_takes_effect_at_once() -> None:
    status = begin(FULL, NOON, 2)
    slow = Rate(most=1, per=HOUR, burst=2)

    answer = rates.spent(status, [spending(rate=slow)], at(1800))

    assert answer == Dry(spending=spending(rate=slow), after=timedelta(seconds=1801))


def test_what_a_rebuilt_ledger_does_not_list_is_empty() -> None:
    rebuilt = RepairLedgerStatus(known_since=NOON)

    assert is_dry(rebuilt, at(599))
    assert not is_dry(rebuilt, at(601))


def test_a_ledger_that_does_not_say_since_when_it_knows_gives_nothing() -> None:
    assert is_dry(RepairLedgerStatus(), at(86_400))


def test_a_clock_that_goes_back_brings_nothing_in() -> None:
    status = begin(FULL, NOON, 2)

    assert is_dry(status, at(-240))
    assert is_dry(rates.settled(status, at(-240)), at(599 - 240))


def test_a_clock_that_was_far_ahead_stops_nothing_for_long() -> None:
    tomorrow = begin(FULL, NOON + timedelta(days=1), 2)

    settled = rates.settled(tomorrow, NOON)

    assert is_dry(settled, NOON)
    assert not is_dry(settled, at(601))


def test_a_ledger_that_was_rebuilt_by_a_clock_far_ahead_begins_now() -> None:
    ahead = RepairLedgerStatus(known_since=NOON + timedelta(days=1))

    assert rates.settled(ahead, NOON).known_since == NOON


def test_a_bucket_that_must_be_full_again_is_forgotten() -> None:
    status = begin(FULL, NOON, 2)

    assert rates.settled(status, NOON + FULL_WITHIN).buckets == {}
    assert rates.settled(status, at(3600)) is status


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Time goes by, and something is tried, or the ledger is lost."""

    seconds: int
    tries: int
    back: int
    """By how much the clock goes back meanwhile."""
    lost: bool


HAPPENINGS = st.lists(
    st.builds(
        Happening,
        seconds=st.integers(min_value=0, max_value=4000),
        tries=st.integers(min_value=0, max_value=4),
        back=st.one_of(st.just(0), st.integers(min_value=0, max_value=900)),
        lost=st.booleans(),
    ),
    max_size=40,
)


@given(
    HAPPENINGS,
    st.integers(min_value=1, max_value=60),
    st.integers(min_value=1, max_value=5),
)
def test_no_hour_sees_more_than_the_rate_and_a_burst(
    happenings: list[Happening], most: int, burst: int
) -> None:
    rate = Rate(most=most, per=HOUR, burst=burst)
    status, now, behind, begun = FULL, NOON, timedelta(), list[datetime]()
    for each in happenings:
        now += timedelta(seconds=each.seconds)
        behind += timedelta(seconds=each.back)
        told = now - behind
        if each.lost:
            status = RepairLedgerStatus(known_since=told)
        status = rates.settled(status, told)
        for _ in range(each.tries):
            after = rates.spent(status, [spending(rate=rate)], told)
            if isinstance(after, RepairLedgerStatus):
                status = after
                begun.append(now)

    for start in begun:
        assert sum(start <= when <= start + HOUR for when in begun) <= most + burst


@given(st.lists(st.integers(min_value=-7200, max_value=7200), max_size=20))
def test_whatever_the_clock_does_no_bucket_holds_more_than_a_burst(steps: list[int]) -> None:
    status, now = FULL, NOON
    for step in steps:
        now += timedelta(seconds=step)
        status = rates.settled(status, now)
        admitted = 0
        while isinstance(after := rates.spent(status, [spending()], now), RepairLedgerStatus):
            status, admitted = after, admitted + 1

        assert admitted <= RATE.burst
        assert status.buckets["cluster/disruptions"].tokens >= -1e-9
