"""Levels keep to their grid, and the catalogue keeps its word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.catalogue import CATALOGUE
from nodehealth.signals import Grid, Kind

HALF_PERCENT = Grid(step=0.005, hysteresis=0.0025)


SPACE_LEFT = Grid(step=0.005, hysteresis=0.0025, coarse=0.25)


@pytest.mark.parametrize(
    ("grid", "thresholds"),
    [(HALF_PERCENT, (0.005, 0.05, 0.035, 0.57)), (SPACE_LEFT, (0.005, 0.05, 0.25, 0.5, 0.75))],
)
@given(raw=st.floats(min_value=0, max_value=1))
def test_a_threshold_on_the_grid_judges_the_snapped_value_as_the_raw_one(
    grid: Grid, thresholds: tuple[float, ...], raw: float
) -> None:
    snapped = grid.snap(raw)

    assert grid.holds(snapped)
    for threshold in thresholds:
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


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1))
def test_on_a_grid_with_coarse_steps_a_level_is_never_far_from_its_reading(
    readings: list[float],
) -> None:
    told = None
    for raw in readings:
        told = SPACE_LEFT.snap(raw, previous=told)

    assert told is not None
    assert SPACE_LEFT.holds(told)
    step, slack = (0.005, 0.0025) if told < 0.25 else (0.25, 0.125)
    assert told - slack - 1e-9 <= readings[-1] <= told + step + slack + 1e-9


def test_what_is_far_from_used_up_is_told_in_coarse_steps_and_what_is_not_in_fine_ones() -> None:
    told = [SPACE_LEFT.snap(raw, previous=0.5) for raw in (0.87, 0.88, 0.38, 0.37, 0.2012)]
    near = [SPACE_LEFT.snap(raw, previous=0.25) for raw in (0.62, 0.63, 0.2476, 0.2474)]

    assert told == [0.5, 0.75, 0.5, 0.25, 0.2]
    assert near == [0.25, 0.5, 0.25, 0.245]


def test_a_level_of_an_older_grid_is_told_on_the_new_one() -> None:
    assert SPACE_LEFT.snap(0.57, previous=0.57) == 0.5


def test_a_grid_says_what_lies_on_it() -> None:
    assert f"{SPACE_LEFT}" == "multiples of 0.005 up to 0.25 and of 0.25 beyond"
    assert f"{HALF_PERCENT}" == "multiples of 0.005"


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_says_what_it_is_about(name: str) -> None:
    signal = CATALOGUE[name]

    assert signal.about.endswith(".")
    assert signal.source
    assert signal.kind is Kind.EVENT or signal.grid.step > 0
