"""A level is only asked for values that it can take, however the question is written."""

from typing import Final

import pytest

from nodehealth import cel
from nodehealth.catalogue import CATALOGUE
from nodehealth.cel import parser
from remediator.rules import expressions, thresholds

TAKES: Final = "disk.free_ratio only takes multiples of 0.005 up to 0.25 and of 0.25 beyond"
GRID: Final = f"{TAKES}, got 0.052; the nearest is 0.05"
BEYOND: Final = "disk.free_ratio is from 0 to 1, got 5"
HIDDEN: Final = "no way to tell which value is meant; compare value itself with a number"


def said(where: str, signal: str = "disk.free_ratio") -> list[str]:
    asked = CATALOGUE[signal]
    cel.compile(where, expressions.environment(asked))
    return list(thresholds.problems(parser.parse(where), asked))


@pytest.mark.parametrize(
    "where",
    [
        "value < 0.05",
        "0.05 > value && subject == '/'",
        "!(value >= 0.05) || fstype == 'xfs'",
        "value * 100.0 < 5.0",
        "value - 0.01 < 0.04",
        "-value > -0.05",
        "value / 2.0 < 0.025",
        "value in [0.0, 0.005]",
        "fstype == 'ext4'",
        "fstype == 'ext4' ? value < 0.05 : value < 0.1",
        'node.labels.exists(l, l == "x") && value < 0.05',
    ],
)
def test_a_value_on_the_grid_is_good(where: str) -> None:
    assert said(where) == []


@pytest.mark.parametrize(
    "where",
    [
        "value < 0.052",
        "0.052 > value",
        "!(value >= 0.052)",
        "value * 100.0 < 5.2",
        "100.0 * value < 5.2",
        "value - 0.01 < 0.042",
        "value + value < 0.104",
        "-value > -0.052",
        "value / 2.0 < 0.026",
        "double(value) < 0.052",
        "value in [0.05, 0.052]",
        "true ? value < 0.052 : false",
    ],
)
def test_a_value_off_the_grid_is_named_wherever_it_hides(where: str) -> None:
    assert said(where) == [GRID]


def test_a_value_between_coarse_steps_is_off_the_grid() -> None:
    assert said("value < 0.3") == [f"{TAKES}, got 0.3; the nearest is 0.25"]
    assert said("value < 0.5") == []


@pytest.mark.parametrize("where", ["value < 5.0", "value * 2.0 < 10.0", "value < 5"])
def test_a_percentage_in_place_of_a_ratio_would_always_hold(where: str) -> None:
    assert said(where) == [BEYOND]


def test_what_never_is_below_nothing_is_not_asked_for_less() -> None:
    assert said("value < -1.0", "net.errors") == ["net.errors is never below 0, got -1"]
    assert said("value > 1.5", "net.errors") == [
        "net.errors only takes multiples of 1, got 1.5; the nearest is 2"
    ]


@pytest.mark.parametrize(
    "where",
    ["value * value < 0.05", "int(value) < 1", "[0.052].exists(x, value < x)", "1.0 / value < 5.0"],
)
def test_a_threshold_that_nobody_can_read_off_is_refused(where: str) -> None:
    (found,) = said(where)

    assert found.endswith(HIDDEN)


@pytest.mark.parametrize("where", ["true", "subject == '/'", "node.name == 'n1'"])
def test_a_question_that_asks_nothing_of_the_signal_is_refused(where: str) -> None:
    assert said(where) == ["asks nothing of disk.free_ratio; compare its value, as in `value > 0`"]


def test_a_question_whose_answer_is_always_the_same_is_refused() -> None:
    assert said("value - value < 0.5") == ["the answer does not depend on value"]


def test_a_value_may_be_compared_with_what_the_signal_or_the_node_says() -> None:
    assert said("value < double(expected)", "node.gpu_allocatable") == []
    assert said('value < node.capacity["nvidia.com/gpu"] - 1.0', "node.gpu_allocatable") == []
