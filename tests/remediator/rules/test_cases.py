"""A mistake in a test case is named like one in a rule, so that no case tests nothing."""

from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth.catalogue import CATALOGUE
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from tests.remediator.rules.test_load import GOOD

CASES = """\
apiVersion: nodemend.dev/v1alpha1
kind: RuleTest
spec:
  rule: full
  cases:
    - name: holds
      story:
        - at: 0s
          levels: [{signal: disk.free_ratio, subject: /, value: 0.01, fields: {fstype: ext4}}]
        - {at: 30s, events: [{signal: gpu.xid, fields: {code: 79}}], expect: holds}
"""


def complaints(directory: Path, text: str) -> list[str]:
    (directory / "rule.yaml").write_text(GOOD)
    (directory / "rule_test.yaml").write_text(text)
    known = load.rules(directory, remedy)
    with pytest.raises(ProblemsError) as found:
        load.cases(directory, known)
    return [str(each).removeprefix(f"{directory}/") for each in found.value.problems]


def test_good_cases_are_read_with_the_place_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)
    (tmp_path / "rule_test.yaml").write_text(CASES)

    (case,) = load.cases(tmp_path, load.rules(tmp_path, remedy))

    assert (case.place, case.rule) == (f"{tmp_path}/rule_test.yaml:6", "full")
    assert [step.at for step in case.steps] == [timedelta(), timedelta(seconds=30)]


@pytest.mark.parametrize("name", ["rule.yaml", "rule_test.yaml"])
def test_the_cases_of_one_rule_are_found_by_either_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)
    (tmp_path / "rule_test.yaml").write_text(CASES)
    (tmp_path / "other.yaml").write_text("not looked at")

    known = load.rules(tmp_path / name, remedy)

    assert [case.name for case in load.cases(tmp_path / name, known)] == ["holds"]


def test_a_rule_without_cases_has_none(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)

    assert load.cases(tmp_path / "rule.yaml", load.rules(tmp_path, remedy)) == ()


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            "rule: full",
            "rule: fll",
            "rule_test.yaml:4: spec.rule: unknown rule fll; known are full; did you mean full?",
        ),
        (
            ", expect: holds",
            "",
            "rule_test.yaml:7: spec.cases[0].story: expected at least one `expect`, got none",
        ),
        (
            "at: 0s",
            "at: 31s",
            (
                "rule_test.yaml:10: spec.cases[0].story[1].at: expected no moment "
                "before 0:00:31, got "
                "30s"
            ),
        ),
        (
            "value: 0.01",
            "value: 0.011",
            (
                "rule_test.yaml:9: spec.cases[0].story[0].levels[0].value: "
                "disk.free_ratio only takes "
                "multiples of 0.005 up to 0.25 and of 0.25 beyond, got 0.011; the nearest is 0.01"
            ),
        ),
        (
            "signal: disk.free_ratio, subject: /, value: 0.01",
            "signal: disk.read_only, subject: /, value: 2",
            (
                "rule_test.yaml:9: spec.cases[0].story[0].levels[0].value: "
                "disk.read_only is 1 for yes "
                "or 0 for no, got 2"
            ),
        ),
        (
            "fstype:",
            "fstpe:",
            (
                "rule_test.yaml:9: spec.cases[0].story[0].levels[0].fields: unknown "
                "field fstpe; known "
                "are device, fstype; did you mean fstype?"
            ),
        ),
        (
            "code: 79",
            "code: seventynine",
            (
                "rule_test.yaml:10: spec.cases[0].story[1].events[0].fields.code: "
                "expected int, got "
                "'seventynine'"
            ),
        ),
        (
            "signal: gpu.xid",
            "signal: disk.read_only",
            (
                "rule_test.yaml:10: spec.cases[0].story[1].events[0].signal: disk.read_only is no "
                "event but a level"
            ),
        ),
        (
            "signal: gpu.xid",
            "signal: node.ready",
            (
                "rule_test.yaml:10: spec.cases[0].story[1].events[0].signal: "
                "node.ready is read off "
                "the Node; set it by `node`"
            ),
        ),
        (
            CASES[CASES.index("    - name") :],
            "    []\n",
            "rule_test.yaml:5: spec.cases: expected at least one case, got none",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, good: str, bad: str, says: str) -> None:
    assert good in CASES

    assert complaints(tmp_path, CASES.replace(good, bad)) == [says]


def test_an_unknown_signal_comes_with_the_nearest_one(tmp_path: Path) -> None:
    (found,) = complaints(tmp_path, CASES.replace("gpu.xid", "gpu.xidd"))

    assert f"nearest of {len(CATALOGUE)} are gpu.xid, " in found


def test_the_mistakes_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "other_test.yaml").write_text("")

    assert len(complaints(tmp_path, CASES.replace("0.01", "0.011"))) == 2
