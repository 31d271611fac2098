"""Durations, sizes and shares are read as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth import quantities


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172_800)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert quantities.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5m!", "-5m", "5y"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s"):
        quantities.duration(text)


@pytest.mark.parametrize("text", ["36501d", "99999999999999h", f"{'9' * 400}s"])
def test_what_is_over_a_century_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no more than 36500d"):
        quantities.duration(text)
    with pytest.raises(ValueError, match="no more than 36500d"):
        quantities.rate(f"1/{text}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (59.7, "1m"), (90, "1m30s"), (90_061, "1d1h"), (-5, "-5s")],
)
def test_a_duration_is_spoken_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert quantities.spoken(timedelta(seconds=seconds)) == text


@given(st.integers(min_value=0, max_value=59), st.integers(min_value=0, max_value=23))
def test_what_is_spoken_is_read_back(minutes: int, hours: int) -> None:
    span = timedelta(hours=hours, minutes=minutes)

    assert quantities.duration(quantities.spoken(span)) == span


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("64Mi", 64 * 2**20), ("2Gi", 2**31)])
def test_a_size_is_read(text: str, size: int) -> None:
    assert quantities.size(text) == size


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="such as 512"):
        quantities.size("64MB")


@pytest.mark.parametrize(
    ("limit", "of", "count"),
    [("10%", 100, 10), ("40%", 3, 1), ("20%", 1, 0), (3, 1, 3), ("0", 9, 0)],
)
def test_a_share_is_rounded_down(limit: str | int, of: int, count: int) -> None:
    assert quantities.share(limit, of) == count


@pytest.mark.parametrize("limit", ["101%", "-1", "1.5", "ten", -1])
def test_what_is_no_share_is_refused(limit: str | int) -> None:
    with pytest.raises(ValueError, match="expected a count"):
        quantities.share(limit, 10)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8", 8),
        ("1500m", 1.5),
        ("250u", 0.00025),
        ("3k", 3000),
        ("2Gi", 2**31),
        ("1E", 1e18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("12E-2", 0.12),
        ("-.5", -0.5),
    ],
)
def test_an_amount_is_read_as_kubernetes_writes_it(text: str, amount: float) -> None:
    assert quantities.amount(text) == pytest.approx(amount)


@pytest.mark.parametrize("text", ["", "Gi", "8GB", "1e", "1 Gi", "0x8"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 8"):
        quantities.amount(text)


@pytest.mark.parametrize(
    ("text", "most", "seconds"), [("20/m", 20, 60), ("6/h", 6, 3600), ("1/30m", 1, 1800)]
)
def test_a_rate_is_a_count_in_a_span_of_time(text: str, most: int, seconds: int) -> None:
    assert quantities.rate(text) == (most, timedelta(seconds=seconds))


@pytest.mark.parametrize("text", ["", "6", "0/h", "6/0h", "-1/h", "6/hour", "1.5/h", "6 / h"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a rate such as 20/m"):
        quantities.rate(text)
