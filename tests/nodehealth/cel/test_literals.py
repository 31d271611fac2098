"""A number or string written out is read as Google's own implementation of CEL reads it."""

from typing import Final

import pytest
from cel_expr_python import cel as google
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodehealth import cel

GOOGLE: Final = google.NewEnv()


def theirs(text: str) -> str:
    """Read under Google's CEL."""
    try:
        return repr(GOOGLE.compile(text).eval().plain_value())
    except RuntimeError:
        return "refused"


def ours(text: str) -> str:
    """Read here."""
    try:
        return repr(cel.compile(text, {}, expect=cel.DYN).value({}))
    except cel.ExpressionError:
        return "refused"


ESCAPES: Final = st.one_of(
    st.sampled_from([*"abfnrtv\\?\"'`"]).map(lambda letter: "\\" + letter),
    st.from_regex(
        r"\A\\(x[0-9a-fA-F]{2}|X[0-7][a-f]|u[0-9a-cA-C][0-9a-f]{3}|U000[0-9][0-9a-f]{4})\Z"
    ),
    st.from_regex(r"\A\\[0-7]{3}\Z"),
    st.text(st.sampled_from("ab é😀\t//'\"\\\n"), min_size=1, max_size=2),
)


@pytest.mark.parametrize(
    "text",
    [
        r"""'\a\b\f\n\r\t\v\\\?\"\'\`'""",
        r"""'\x41\X7a\101\377\u00e9\uFFFF\U0001F600'""",
        r"""R'\d+'""",
        """'''it's\n"two" lines'''""",
        "''",
    ],
)
def test_every_way_to_write_a_string_is_accepted(text: str) -> None:
    assert ours(text) == theirs(text) != "refused"


@settings(max_examples=200, deadline=None)
@given(
    mark=st.sampled_from(["", "r", "R"]),
    quote=st.sampled_from(['"', "'", '"""', "'''"]),
    parts=st.lists(ESCAPES, max_size=4),
)
def test_a_string_that_is_accepted_spells_the_same_characters(
    mark: str, quote: str, parts: list[str]
) -> None:
    text = mark + quote + "".join(parts) + quote

    assert ours(text) in {theirs(text), "refused"}


@settings(max_examples=200, deadline=None)
@given(
    text=st.from_regex(
        r"\A-{0,3} ?(0x[0-9a-fA-F]{1,17}|[0-9]{0,20}(\.[0-9]{0,6})?([eE][+-]?[0-9]{0,3})?)\Z"
    ).filter(bool)
)
@example(text="-9223372036854775808")
@example(text="--9223372036854775808")
@example(text="9223372036854775808")
@example(text="-0x8000000000000000")
@example(text="1e999")
@example(text="-0.0")
def test_a_number_is_read_the_same_or_refused_by_both(text: str) -> None:
    assert ours(text) == theirs(text)
