"""What a pattern may cost on a line is bounded by how it is written."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.host.complaints import quick

PIECES = ["a", "b", "[ab]", r"\w", ".", "(?:a|b)", "(?P<part>a)", "(?:a|aa)", " "]
REPEATS = ["", "", "?", "*", "+", "{1,3}", "{2,}", "{3}", "*?", "++", "{,4}"]


@pytest.mark.parametrize(
    ("line", "ways"),
    [
        ("^plain", 1),
        ("^a.*b", quick.LONGEST),
        ("^a{2,}", quick.LONGEST),
        (r"^\S{1,32}: (?:x|y)?", 32 * 2 * 2),
        (r"^[^]*]+\*\(x\)", quick.LONGEST),
        ("^x{3}y{,4}", 5),
        ("^(?:=+|-)", 2 * quick.LONGEST),
    ],
)
def test_the_ways_to_read_a_line_are_counted(line: str, ways: int) -> None:
    assert quick.ways(line) == ways


@pytest.mark.parametrize(
    "line",
    ["^(a+)+", "^(?:a)*", "^(a){2}", r"^(a)\1", "^(?P<x>a)(?P=x)", "^(?=a)", "^(?<!a)", "^(?i)a"],
)
def test_what_may_take_for_ever_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        quick.ways(line)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(REPEATS)), max_size=14))
def test_whatever_is_let_in_gives_up_soon_on_the_worst_of_lines(
    pieces: list[tuple[str, str]],
) -> None:
    line = "^" + "".join(f"{piece}{repeat}" for piece, repeat in pieces) + "!"
    try:
        compiled = re.compile(line)
        if quick.ways(line) > quick.MOST:
            return
    except (re.error, ValueError):
        return

    begun = time.process_time()
    compiled.match("a" * quick.LONGEST)

    assert time.process_time() - begun < 1
