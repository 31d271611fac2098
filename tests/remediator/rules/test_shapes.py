"""What has another shape is named, all of it at once, and never stops the rest from being read."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from nodehealth.repair import Mode
from remediator.rules import shapes
from remediator.rules.language import RuleFile, Strict
from remediator.rules.stories import CasesFile
from remediator.rules.terms import PolicyFile

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


class Part(Strict, frozen=True, kw_only=True):
    """What is within a whole."""

    size: Annotated[int, Meta(ge=1, le=9)]
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}


class Whole(Strict, frozen=True, kw_only=True):
    """One of each sort."""

    kind: Literal["Whole"]
    mode: Mode = Mode.OBSERVE
    part: Part
    ratio: float = 0.5
    either: str | int | tuple[str | int, ...] | None = None
    sure: bool = True
    code: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    several: Annotated[tuple[str, ...], Meta(min_length=1)] = ("x",)
    free: Mapping[str, Any] = {}
    within: str = "15m"


GOOD: dict[str, Any] = {"kind": "Whole", "part": {"size": 3}}


def said(value: object, kind: type = Whole) -> list[str]:
    _, shape = shapes.fit(value, kind)
    return [f"{where}: {message}" for where, message in shape.problems]


def test_what_fits_stays_as_it_is() -> None:
    whole = {
        **GOOD,
        "mode": "enforce",
        "ratio": 1,
        "either": [1, "10%"],
        "free": {"url": ["x", {"y": 1}]},
    }

    fitted, shape = shapes.fit(whole, Whole)

    assert (fitted, shape.problems) == (whole, [])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([1], "$: expected a mapping, got a list"),
        (None, "$: expected a mapping, got nothing"),
        (
            {**GOOD, "kind": "Hole"},
            "$.kind: there is no 'Hole'; known are Whole; did you mean Whole?",
        ),
        (
            {**GOOD, "mode": "enforced"},
            (
                "$.mode: there is no 'enforced'; known are enforce, observe, off; "
                "did you mean enforce?"
            ),
        ),
        ({**GOOD, "mode": True}, "$.mode: expected one of off, observe, enforce, got true"),
        ({**GOOD, "within": 15}, '$.within: expected text such as "15m", got 15'),
        ({**GOOD, "within": []}, "$.within: expected text, got a list"),
        ({**GOOD, "part": {"size": 0}}, "$.part.size: expected at least 1, got 0"),
        ({**GOOD, "part": {"size": 10}}, "$.part.size: expected at most 9, got 10"),
        ({**GOOD, "part": {"size": "3"}}, "$.part.size: expected a whole number, got '3'"),
        ({**GOOD, "part": {}}, "$.part.size: expected a whole number, got nothing"),
        ({**GOOD, "ratio": float("nan")}, "$.ratio: expected a finite number, got nan"),
        ({**GOOD, "sure": "yes"}, "$.sure: expected true or false, got 'yes'"),
        ({**GOOD, "code": "A"}, "$.code: expected text that matches ^[a-z]+$, got 'A'"),
        ({**GOOD, "several": []}, "$.several: expected at least 1, got none"),
        (
            {**GOOD, "either": {}},
            "$.either: expected text or a whole number or a list, got a mapping",
        ),
        (
            {**GOOD, "either": [1, []]},
            "$.either[1]: expected text or a whole number, got a list",
        ),
        (
            {**GOOD, "part": {"size": 3, "names": ["a", 5]}},
            "$.part.names[1]: expected text, got 5; put it in quotes",
        ),
        (
            {**GOOD, "part": {"size": 3, "labels": {"gpus": 8}}},
            "$.part.labels.gpus: expected text, got 8; put it in quotes",
        ),
        (
            {**GOOD, "part": {"size": 3, "labels": {8: "gpus"}}},
            "$.part.labels.8: expected text, got 8; put it in quotes",
        ),
        (
            {"kind": "Whole", "prat": {"size": 3}},
            (
                "$.prat: there is no such setting; known are code, either, free, kind, mode, part, "
                "ratio, several, sure, within; did you mean part?"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_named(wrong: object, says: str) -> None:
    assert said(wrong) == [says]


def test_everything_is_named_at_once() -> None:
    wrong = {"kind": 1, "mode": "x", "part": {"size": "y", "sise": 1}, "ratio": [], "more": 1}

    assert len(said(wrong)) == 6


def test_a_bare_off_is_the_word_although_yaml_reads_it_as_no() -> None:
    fitted, shape = shapes.fit({**GOOD, "mode": False}, Whole)

    assert (fitted["mode"], shape.problems) == ("off", [])


def test_nobody_complains_about_what_stands_in_for_something_else() -> None:
    _, shape = shapes.fit({"kind": "Whole", "part": {"sise": 3}, "either": {}}, Whole)

    assert shape.is_doubtful("$.part.size")
    assert shape.is_doubtful("$.part")
    assert shape.is_doubtful("$.either[0].more")
    assert not shape.is_doubtful("$.ratio")


@pytest.mark.parametrize("kind", [Whole, RuleFile, PolicyFile, CasesFile])
@given(value=PLAIN)
def test_whatever_was_written_is_made_to_fit(kind: type, value: object) -> None:
    fitted, _ = shapes.fit(value, kind)

    msgspec.convert(fitted, kind)
