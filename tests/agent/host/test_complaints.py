"""Every line that the kernel complains with is understood, and nothing that only resembles one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import complaints, records
from agent.host.complaints.pattern import Complaint, Pattern
from agent.readings import Occurrence, checked
from nodehealth.catalogue import CATALOGUE
from nodehealth.signals import Kind
from simulator.virtualtime import START
from tests.agent.kernellines import SAID, UNSAID


def said(text: str) -> list[Complaint]:
    """Take a line the way that a record takes: by its words, then by its form."""
    found = (
        complaints.said(topic, text)
        for topic, words in complaints.WORDS.items()
        if records.matcher(words).search(text.encode())
    )
    return [each for each in found if each is not None]


@pytest.mark.parametrize(("text", "complaint"), SAID.items())
def test_a_line_is_understood_once(text: str, complaint: Complaint) -> None:
    assert said(text) == [complaint]


@pytest.mark.parametrize("text", UNSAID)
def test_what_only_resembles_a_complaint_is_none(text: str) -> None:
    assert said(text) == []


EVERY = [each for patterns in complaints.BY_TOPIC.values() for each in patterns]


@pytest.mark.parametrize("pattern", EVERY, ids=lambda each: each.line.pattern)
def test_every_pattern_has_a_line_that_shows_it_and_one_that_nearly_does(pattern: Pattern) -> None:
    near = [text for text in UNSAID if any(word in text for word in pattern.words)]

    assert any(pattern.read(text) for text in SAID)
    assert any(pattern.read(text) is None for text in near)


@pytest.mark.parametrize("text", SAID)
def test_what_is_said_is_in_the_catalogue(text: str) -> None:
    (complaint,) = said(text)
    signal = CATALOGUE[complaint.signal]

    if signal.kind is Kind.EVENT:
        checked(
            Occurrence(
                name=complaint.signal,
                at=START,
                subject=complaint.subject,
                fields=complaint.fields,
                count=complaint.count,
            )
        )


ANY = st.text(max_size=300) | st.sampled_from([*SAID, *UNSAID]).flatmap(
    lambda line: st.tuples(
        st.text(max_size=20), st.integers(0, len(line)), st.integers(0, len(line))
    ).map(lambda cut: line[: cut[1]] + cut[0] + line[cut[2] :])
)


@given(st.sampled_from(list(complaints.BY_TOPIC)), ANY)
def test_no_line_is_too_strange(topic: str, text: str) -> None:
    complaint = complaints.said(topic, text)

    if complaint is not None:
        words = (complaint.subject, *complaint.fields.values())
        assert all(len(word) <= 100 for word in words)
        assert 1 <= complaint.count <= 10_000


def test_a_line_that_is_far_too_long_is_read_in_no_time() -> None:
    for topic, words in complaints.WORDS.items():
        for word in words:
            complaints.said(topic, word + " " * 500_000 + word)
            complaints.said(topic, word * 50_000)


def test_a_count_that_nobody_can_believe_is_cut() -> None:
    (complaint,) = said("EDAC MC0: 999999999 CE memory read error")

    assert complaint.count == 10_000
