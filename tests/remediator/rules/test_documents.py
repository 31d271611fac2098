"""Whatever text stands in a file, its reader says what is wrong at which line, and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.rules import documents
from remediator.rules.documents import ProblemsError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2025-02-30", "a.yaml:2: no valid YAML: day "),
        ("a: 1\nb: " + "9" * 6000, "a.yaml:2: no valid YAML: Exceeds the limit"),
        ("a: 1\nb: 0x" + "f" * 6000, "a.yaml:2: no valid YAML: a whole number has at most 64"),
        ("a: 1\nb: " + "9" * 400, "a.yaml:2: no valid YAML: a whole number has at most 64"),
        ("\n".join(" " * n + "a:" for n in range(1500)), "a.yaml:51: expected at most 50 parts"),
        ("[" * 100_000, "a.yaml:1: expected at most 50 parts"),
        (
            "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 1500)),
            "a.yaml:1: aliases stand within each other more deeply",
        ),
        (
            "a0: &a0 [x]\n"
            + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)),
            "a.yaml:1: expected at most 100000 parts, found that aliases make more",
        ),
    ],
    ids=["date", "digits", "hexadecimal", "bits", "mappings", "lists", "aliases", "laughs"],
)
def test_a_value_that_cannot_be_made_is_a_mistake_at_its_line(text: str, says: str) -> None:
    with pytest.raises(ProblemsError) as wrong:
        documents.parse("a.yaml", text)

    assert str(wrong.value).startswith(says)


@given(st.text(alphabet="ab0129-:.x_ []{}\n&*!?'\"", max_size=60))
def test_nothing_but_problems_comes_of_any_text(text: str) -> None:
    with contextlib.suppress(ProblemsError):
        assert documents.parse("a.yaml", text).lines


def test_mistakes_are_told_file_by_file_in_the_order_of_their_lines() -> None:
    found = [("b.yaml", 9), ("a.yaml", 7), ("b.yaml", 2), ("a.yaml", 1)]

    told = documents.ProblemsError(
        tuple(documents.Problem(path=path, line=line, message="wrong") for path, line in found)
    )

    assert str(told).splitlines() == [
        "b.yaml:2: wrong",
        "b.yaml:9: wrong",
        "a.yaml:1: wrong",
        "a.yaml:7: wrong",
    ]
