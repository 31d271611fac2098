"""What anybody could have written is not run as root."""

import os
from pathlib import Path

import pytest

from agent.host.checks import trust
from tests.agent.host.checks.programs import script

US, OUR_GROUP = os.geteuid(), os.getegid()
STRANGER = 54321


def test_what_we_alone_may_write_is_run(tmp_path: Path) -> None:
    assert trust.refusal(script(tmp_path / "x", "true")) == ""


@pytest.mark.parametrize("mode", [0o757, 0o777])
def test_what_everybody_may_write_to_is_not_run(tmp_path: Path, mode: int) -> None:
    program = script(tmp_path / "x", "true", mode)

    assert trust.refusal(program) == f"everybody may write to it: mode {mode:04o}"


def test_what_lies_where_everybody_may_write_is_not_run(tmp_path: Path) -> None:
    program = script(tmp_path / "open/x", "true")
    program.parent.chmod(0o777)

    assert trust.refusal(program) == "everybody may write to its folder: mode 0777"
    assert trust.folder_refusal(program.parent) == "everybody may write to its folder: mode 0777"


def test_what_belongs_to_a_stranger_is_not_run(tmp_path: Path) -> None:
    program = script(tmp_path / "x", "true")
    program.parent.chmod(0o755)

    refused = trust.refusal(program, uid=US + 1) if US else _given(program)

    assert refused.startswith("it belongs to user ")


def _given(program: Path) -> str:
    os.chown(program, STRANGER, 0)
    return trust.refusal(program)


def test_what_a_strange_group_may_write_to_is_not_run(tmp_path: Path) -> None:
    program = script(tmp_path / "x", "true", 0o775)

    strange = trust.refusal(program, gid=STRANGER) if OUR_GROUP else _of_a_group(program)

    assert strange == f"group {program.stat().st_gid} may write to it: mode 0775"


def _of_a_group(program: Path) -> str:
    os.chown(program, US, STRANGER)
    return trust.refusal(program)


def test_a_link_is_as_good_as_what_it_leads_to(tmp_path: Path) -> None:
    program = script(tmp_path / "data/x", "true", 0o757)
    (tmp_path / "x").symlink_to(program)

    assert trust.refusal(tmp_path / "x") == "everybody may write to it: mode 0757"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("plain", "expected a program, got a file that is not executable"),
        ("folder", "expected a program, got something that is no file"),
        ("nothing", "expected a program, got No such file or directory"),
        ("circle", "expected a program, got "),
    ],
)
def test_what_is_no_program_is_said(tmp_path: Path, name: str, why: str) -> None:
    script(tmp_path / "plain", "true", 0o644)
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")

    assert trust.refusal(tmp_path / name).startswith(why)
