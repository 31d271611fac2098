"""The shipped rules in a hurry."""

from pathlib import Path

from nodehealth.repair import Mode
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
        assert (now.ladder, now.severity) == (was.ladder, was.severity)
        assert now.mode == was.mode or now.name == haste.ENFORCED
        assert [each.text for each in now.questions] == [each.text for each in was.questions]


def test_the_rule_of_the_disk_that_is_filled_is_enforced_and_that_is_said(tmp_path: Path) -> None:
    haste.copied(shipped.RULES, tmp_path)

    before, after = (load.rules(path, files.remedy) for path in (shipped.RULES, tmp_path))
    modes = [rules.by_name["scratch-full"].mode for rules in (before, after)]
    assert modes == [Mode.OBSERVE, Mode.ENFORCE]
    assert "enforces scratch-full, which ships observing" in haste.SAID


def test_rules_can_be_left_out(tmp_path: Path) -> None:
    haste.copied(shipped.RULES, tmp_path, without=["scratch-full"])

    assert "scratch-full" not in load.rules(tmp_path, files.remedy).by_name
