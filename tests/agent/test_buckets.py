"""A storm of one pattern is counted to the last line, and told one by one only at its beginning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import buckets, state
from agent.buckets import HOLDS, SIGNAL, Teller
from agent.probe import Past
from agent.readings import Occurrence
from simulator.virtualtime import START

IO: Final = "disk.io_errors_logged"
"""What happens in these tests."""


def happened(number: int, *, disk: str = "sda", at: datetime = START) -> Occurrence:
    return Occurrence(
        name=IO, at=at, source="kmsg storage", position=number, subject=disk, fields={"kind": "io"}
    )


def told(
    lines: Sequence[Occurrence], past: Past | None = None, *, seconds: float = 0
) -> tuple[Sequence[Occurrence], Past]:
    """Tell lines of one pattern in one look; return what was told, and what is remembered."""
    teller = Teller(past or {}, START + timedelta(seconds=seconds))
    for each in lines:
        teller.tell("block-error", "kmsg", each)
    begun = state.begin(None, boot_id="b", node_uid="u", probes=["p"], now=START)
    return tuple(teller.told()), state.past(
        state.answered(begun, "p", tuple(teller.memos()), START), "p"
    )


def counted(all_told: Sequence[Occurrence], name: str = IO) -> int:
    return sum(each.count for each in all_told if each.name == name)


def test_few_lines_are_told_one_by_one() -> None:
    lines = [happened(n) for n in range(1, HOLDS + 1)]

    everything, past = told(lines)

    assert list(everything) == lines
    assert buckets.suppressed(past) == {"block-error": 0}


def test_what_is_too_much_is_told_together_and_said_to_be() -> None:
    everything, past = told([happened(n) for n in range(1, 100_001)])

    assert len(everything) == HOLDS + 2
    assert counted(everything) == 100_000
    assert counted(everything, SIGNAL) == 100_000 - HOLDS
    assert buckets.suppressed(past) == {"block-error": 100_000 - HOLDS}


def test_what_is_told_together_says_the_same_and_happened_within_a_second() -> None:
    _, past = told([happened(n) for n in range(1, HOLDS + 1)])
    later = START + timedelta(seconds=0.4)
    after = START + timedelta(seconds=1)
    lines = [
        happened(HOLDS + 1),
        happened(HOLDS + 2, disk="sdb"),
        happened(HOLDS + 3, at=later),
        happened(HOLDS + 4, at=after),
    ]

    everything, _ = told(lines, past)

    assert [(each.subject, each.at, each.count, each.position) for each in everything[:3]] == [
        ("sda", later, 2, HOLDS + 3),
        ("sdb", START, 1, HOLDS + 2),
        ("sda", after, 1, HOLDS + 4),
    ]


def test_a_line_that_tells_of_many_is_as_many_among_others() -> None:
    _, past = told([happened(n) for n in range(1, HOLDS + 1)])
    lines = [replace(happened(HOLDS + n), count=14) for n in (1, 2)]

    everything, _ = told(lines, past)

    assert (counted(everything), counted(everything, SIGNAL)) == (28, 2)


def test_a_bucket_fills_again_by_the_second_and_no_further() -> None:
    _, past = told([happened(n) for n in range(1, HOLDS + 1)])
    _, past = told([happened(n) for n in range(HOLDS + 1, HOLDS + 51)], past, seconds=20)

    assert buckets.suppressed(past) == {"block-error": 30}

    many = [happened(n) for n in range(2 * HOLDS, 4 * HOLDS)]
    _, past = told(many, past, seconds=1e6)

    assert buckets.suppressed(past) == {"block-error": 30 + HOLDS}


def test_a_clock_that_was_set_back_fills_no_bucket() -> None:
    _, past = told([happened(n) for n in range(1, HOLDS + 1)], seconds=100)

    _, past = told([happened(HOLDS + 1)], past, seconds=50)

    assert buckets.suppressed(past) == {"block-error": 1}


def test_a_line_that_is_read_again_is_not_told_again() -> None:
    lines = [happened(n) for n in range(1, 1501)]
    _, past = told(lines)

    everything, past = told([*lines, happened(1501)], past)

    assert (counted(everything), counted(everything, SIGNAL)) == (1, 1)
    assert buckets.suppressed(past) == {"block-error": 501}


def test_a_bucket_of_an_earlier_version_is_still_one() -> None:
    _, past = told([happened(1)])
    (level,) = past.values()
    fields = {"tokens": 0, "at": int(START.timestamp()), "refused": 9, "refused_at": 1, "last": 7}
    old = {("", level.subject): type(level)(name="", since=START, fields=fields)}

    everything, past = told([happened(7), happened(8)], old)

    assert (counted(everything), buckets.suppressed(past)) == (1, {"block-error": 1})


@given(
    st.lists(st.tuples(st.integers(1, 900), st.sampled_from("ab")), min_size=1, max_size=12),
    st.integers(0, 3),
)
def test_however_a_storm_is_cut_into_looks_every_line_counts_once(
    looks: list[tuple[int, str]], again: int
) -> None:
    past: Past = {}
    number, total, single = 0, 0, 0
    for seconds, (length, disk) in enumerate(looks):
        read_again = range(max(1, number - again), number + 1)
        lines = [happened(n, disk=disk) for n in (*read_again, *range(number + 1, number + length))]
        everything, past = told(lines, past, seconds=seconds)
        number = max(number, number + length - 1)
        total += counted(everything)
        single += sum(each.count == 1 for each in everything if each.name == IO)

    assert total == number
    assert single <= HOLDS + 2 * len(looks)


@pytest.mark.parametrize("gap", [0, 1])
def test_two_patterns_have_two_buckets(gap: int) -> None:
    teller = Teller({}, START)
    for n in range(1, HOLDS + 1 + gap):
        teller.tell("a", "kmsg", happened(n))
        teller.tell("b", "kmsg", happened(n))

    assert [each.subject for each in teller.told() if each.name == SIGNAL] == ["a", "b"] * gap
