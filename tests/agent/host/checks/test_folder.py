"""A folder holds programs and configurations; what may not be run says why."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.checks import folder
from agent.host.checks.facts import Check, Manner
from tests.agent.host.checks.programs import script

EVERY, TIMEOUT = timedelta(minutes=1), timedelta(seconds=10)


@pytest.fixture
def checks_d(tmp_path: Path) -> Path:
    """Give a folder for checks, as its owner keeps it."""
    made = tmp_path / "checks.d"
    made.mkdir(mode=0o755)
    return made


def found(path: Path) -> tuple[Check, ...]:
    return folder.found(path, every=EVERY, timeout=TIMEOUT)


def test_where_there_is_no_folder_there_are_no_checks(tmp_path: Path) -> None:
    assert found(tmp_path / "nowhere") == ()


def test_a_name_that_is_no_text_is_told_as_far_as_it_can_be(checks_d: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(checks_d / "sm") + b"\xffart"))
    script(path, "true")

    assert [(each.name, each.command) for each in found(checks_d)] == [
        ("sm\ufffdart", (str(path),))
    ]


def test_programs_are_found_in_the_order_of_their_names(checks_d: Path) -> None:
    for name in ("b", "a.sh"):
        script(checks_d / name, "true")

    assert found(checks_d) == (
        Check(name="a.sh", command=(str(checks_d / "a.sh"),), every=EVERY, timeout=TIMEOUT),
        Check(name="b", command=(str(checks_d / "b"),), every=EVERY, timeout=TIMEOUT),
    )


def test_hidden_files_and_folders_are_no_checks(checks_d: Path) -> None:
    script(checks_d / ".hidden", "true")
    script(checks_d / "plugin/x", "true")

    assert found(checks_d) == ()


def test_a_configmap_is_read_through_its_links(checks_d: Path) -> None:
    script(checks_d / "..2026_01_01/x", "true")
    (checks_d / "..data").symlink_to("..2026_01_01")
    (checks_d / "x").symlink_to("..data/x")

    assert [(each.name, each.refused) for each in found(checks_d)] == [("x", "")]


def test_a_program_that_is_not_executable_says_so(checks_d: Path) -> None:
    script(checks_d / "x", "true", 0o644)

    (check,) = found(checks_d)

    assert check.refused == "expected a program, got a file that is not executable"


def test_a_configuration_of_the_problem_detector_is_read(checks_d: Path) -> None:
    script(checks_d / "plugin/ntp.sh", "true")
    rule = {"type": "permanent", "condition": "NTP", "reason": "Down", "path": "plugin/ntp.sh"}
    (checks_d / "ntp.json").write_text(json.dumps({"plugin": "custom", "rules": [rule]}))

    (check,) = found(checks_d)

    assert (check.name, check.manner, check.refused) == ("NTP/Down", Manner.PERMANENT, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Input data was truncated"),
        ("x" * 300_000, "expected at most 262144 bytes of configuration"),
    ],
)
def test_a_configuration_that_is_wrong_says_so(checks_d: Path, text: str, why: str) -> None:
    (checks_d / "ntp.json").write_text(text)

    (check,) = found(checks_d)

    assert (check.name, check.refused) == ("ntp.json", why)


def test_nothing_is_run_from_a_folder_that_everybody_may_write_to(checks_d: Path) -> None:
    script(checks_d / "x", "true")
    checks_d.chmod(0o777)

    (check,) = found(checks_d)

    assert check.refused == "everybody may write to its folder: mode 0777"


def test_a_name_that_fits_no_report_is_cut_and_refused(checks_d: Path) -> None:
    script(checks_d / ("x" * 200), "true")

    (check,) = found(checks_d)

    assert len(check.name) == 128
