"""Levels keep to their grid, and the catalogue keeps its word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.catalogue import CATALOGUE
from nodehealth.signals import Grid, Kind

HALF_PERCENT = Grid(step=0.005, hysteresis=0.0025)


@given(st.floats(min_value=0, max_value=1))
def test_a_threshold_on_the_grid_judges_the_snapped_value_as_the_raw_one(raw: float) -> None:
    snapped = HALF_PERCENT.snap(raw)

    assert HALF_PERCENT.holds(snapped)
    for threshold in (0.005, 0.05, 0.035, 0.57):
        near = abs(raw - threshold) < 1e-9
        assert near or (snapped < threshold) == (raw < threshold)


def test_noise_smaller_than_the_hysteresis_changes_nothing() -> None:
    assert HALF_PERCENT.snap(0.0549, previous=0.05) == 0.05
    assert HALF_PERCENT.snap(0.0560, previous=0.05) == 0.05
    assert HALF_PERCENT.snap(0.0576, previous=0.05) == 0.055
    assert HALF_PERCENT.snap(0.0480, previous=0.05) == 0.05
    assert HALF_PERCENT.snap(0.0470, previous=0.05) == 0.045


@pytest.mark.parametrize("value", [0.05, 0.035, 0.57, 1.0, 0.0])
def test_half_percents_lie_on_the_grid(value: float) -> None:
    assert HALF_PERCENT.holds(value)


def test_a_value_off_the_grid_has_a_nearest_one() -> None:
    assert not HALF_PERCENT.holds(0.0512)
    assert HALF_PERCENT.nearest(0.0512) == 0.05


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_says_what_it_is_about(name: str) -> None:
    signal = CATALOGUE[name]

    assert signal.about.endswith(".")
    assert signal.source
    assert signal.kind is Kind.EVENT or signal.grid.step > 0
