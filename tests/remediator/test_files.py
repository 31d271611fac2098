"""The files of one moment are told from those of another, whatever is wrong with them."""

from pathlib import Path

import pytest

from remediator import files
from remediator.files import Place


def place(folder: Path) -> Place:
    rules = folder / "rules"
    (rules / "disk").mkdir(parents=True)
    (rules / "disk" / "full.yaml").write_text("kind: Rule")
    (folder / "policy.yaml").write_text("kind: Policy")
    return Place(rules=rules, policy=folder / "policy.yaml")


def test_the_same_files_are_the_same(tmp_path: Path) -> None:
    here = place(tmp_path)

    assert files.fingerprint(here) == files.fingerprint(here)


@pytest.mark.parametrize("name", ["rules/disk/full.yaml", "rules/new.yaml", "policy.yaml"])
def test_what_is_written_makes_them_others(tmp_path: Path, name: str) -> None:
    here = place(tmp_path)
    before = files.fingerprint(here)
    (tmp_path / name).write_text("something else")

    assert files.fingerprint(here) != before


@pytest.mark.parametrize("name", ["rules/disk/full.yaml", "policy.yaml"])
def test_what_is_gone_makes_them_others(tmp_path: Path, name: str) -> None:
    here = place(tmp_path)
    before = files.fingerprint(here)
    (tmp_path / name).unlink()

    assert files.fingerprint(here) != before


def test_test_cases_do_not_count(tmp_path: Path) -> None:
    here = place(tmp_path)
    before = files.fingerprint(here)
    (tmp_path / "rules" / "full_test.yaml").write_text("kind: RuleTest")

    assert files.fingerprint(here) == before


def test_a_directory_that_is_gone_is_other_files_too(tmp_path: Path) -> None:
    here = place(tmp_path)
    before = files.fingerprint(here)
    (tmp_path / "rules").rename(tmp_path / "away")

    assert files.fingerprint(here) != before
