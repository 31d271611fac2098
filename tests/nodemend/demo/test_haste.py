"""The shipped rules in a hurry."""

from pathlib import Path

from nodemend import shipped
from nodemend.demo import haste
from remediator import files
from remediator.rules import load


def test_every_shipped_rule_is_there_with_waits_that_a_person_can_watch(tmp_path: Path) -> None:
    haste.copied(shipped.RULES, tmp_path)

    before, after = (load.rules(path, files.remedy) for path in (shipped.RULES, tmp_path))
    assert after.by_name.keys() == before.by_name.keys()
    for rule in after.rules:
        assert rule.quiet <= haste.QUIET
        assert rule.verify <= haste.VERIFY
        assert all(each.lasts <= haste.LASTS for each in rule.questions)


def test_what_is_asked_and_what_is_done_stays_the_same(tmp_path: Path) -> None:
    haste.copied(shipped.RULES, tmp_path)

    before, after = (load.rules(path, files.remedy) for path in (shipped.RULES, tmp_path))
    for was, now in zip(before.rules, after.rules, strict=True):
        assert (now.ladder, now.severity, now.mode) == (was.ladder, was.severity, was.mode)
        assert [each.text for each in now.questions] == [each.text for each in was.questions]


def test_rules_can_be_left_out(tmp_path: Path) -> None:
    haste.copied(shipped.RULES, tmp_path, without=["scratch-full"])

    assert "scratch-full" not in load.rules(tmp_path, files.remedy).by_name
