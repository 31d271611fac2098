"""All files are answered for together, and nothing that can be written makes a traceback."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.files import CHECKS, remedy
from remediator.rules import compile as compiling
from remediator.rules import documents, load
from remediator.rules.documents import Problem, ProblemsError
from tests.remediator.rules.test_load import GOOD, POLICY

WORDS = st.sampled_from([*re.findall(r"[\w.-]+", GOOD), *"[]{}?:\n", "*a", "&a", "off", "1", "- "])


@given(st.lists(WORDS | st.characters(), max_size=30), st.data())
def test_whatever_is_written_is_good_or_answered_with_a_line(
    words: list[str], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, len(GOOD)))
    text = GOOD[:start] + " ".join(words) + GOOD[end:]
    problems: tuple[Problem, ...] = ()
    try:
        compiling.rule(documents.parse("r.yaml", text), remedy)
    except ProblemsError as wrong:
        problems = wrong.problems

    assert all(1 <= each.line <= len(text.splitlines()) + 1 for each in problems)


def test_rules_and_policy_are_complained_of_together(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD.replace("0.05", "0.052"))
    (tmp_path / "policy.yaml").write_text(POLICY.replace("5%", "105%") + "  provider: nobody\n")

    with pytest.raises(ProblemsError) as found:
        load.book(tmp_path, tmp_path / "policy.yaml", CHECKS)

    assert [each.line for each in found.value.problems] == [9, 5, 8]
    assert "no provider named 'nobody'; known are " in str(found.value)


def test_a_runbook_that_is_not_there_is_named_where_rules_are_written(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "rule.yaml"
    path.write_text(GOOD.replace("  severity", "  runbook: docs/full.md\n  severity"))
    check = load.runbook_above(path)

    with pytest.raises(ProblemsError, match=r"rule.yaml:6: spec.runbook: expected a URL or a file"):
        load.rules(path, remedy, check)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "full.md").touch()

    assert load.rules(path, remedy, check).rules
    assert load.rules(path, remedy).rules


def test_a_fault_that_only_a_boot_mends_says_so(tmp_path: Path) -> None:
    clears = "  clears: {quiet: 2m, after: reboot}\n"
    (tmp_path / "rule.yaml").write_text(GOOD.replace("  ladder", f"{clears}  ladder"))

    (rule,) = load.rules(tmp_path, remedy).rules

    assert (rule.after_reboot, rule.quiet) == (True, timedelta(minutes=2))
