"""Every line that the kernel complains with is understood, and nothing that only resembles one."""

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import complaints, nvrm, records
from agent.host.complaints import pattern
from agent.host.complaints.pattern import Complaint, Pattern
from agent.readings import Occurrence, checked
from nodehealth.catalogue import CATALOGUE
from nodehealth.kit.settings import SettingsError
from nodehealth.signals import Kind
from simulator.virtualtime import START
from tests.agent.kernellines import SAID, SAMPLES, UNSAID

TABLE = """\
apiVersion: nodemend.dev/v1alpha1
kind: KernelPatterns
spec:
  patterns:
    - name: fan-stopped
      signal: x.y
      words: ["stopped"]
      line: '^fan (?P<subject>\\w{1,8}) stopped'
      fields: {kind: f}
      says: ['fan a stopped']
      unsaid: ['app: fan a stopped']
"""


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


EVERY = [*chain.from_iterable(complaints.BY_TOPIC.values()), *nvrm.PATTERNS]


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
def test_every_pattern_has_a_sample_that_it_finds_and_one_that_it_nearly_does(
    each: Pattern,
) -> None:
    samples = SAMPLES[each.name]

    assert any(each.found(text) for text in samples["says"])
    assert any(word in text for word in each.words for text in samples["unsaid"])
    assert not any(each.found(text) for text in samples["unsaid"])


def test_no_two_patterns_have_one_name() -> None:
    assert len({each.name for each in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("says: ['fan", "says: ['fen", "says[0]: expected a line with one of the words and the"),
        ("unsaid: ['app: ", "unsaid: ['", "unsaid[0]: expected a line that is another one, got"),
        ("'^fan", "'fan", "line: expected ^, for a line is read from its start, got 'fan"),
        ("signal:", "signals:", "signals: unknown setting; known are name, words, line, says, un"),
        ("{1,8}", "{1,8}.*.*.*", "line: expected a pattern of at most 1000000; bound what repeats"),
    ],
)
def test_a_table_with_a_pattern_that_is_wrong_is_none(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    table = tmp_path / "table.yaml"
    table.write_text(TABLE)
    (good,) = pattern.read(table)
    assert good.read("fan a stopped") == Complaint(signal="x.y", subject="a", fields={"kind": "f"})

    table.write_text(TABLE.replace(old, new))

    with pytest.raises(SettingsError) as raised:
        pattern.read(table)
    assert str(raised.value).startswith(f"{table}.spec.patterns[0].{problem}")


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
