"""The demo, as a person runs it: this machine is really sick, and really repaired."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def can_mount() -> bool:
    """Say whether a filesystem can be mounted here, in a namespace of our own."""
    way = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    tried = subprocess.run(
        [*way, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.fixture
def hasty_rules(tmp_path: Path) -> Path:
    """Return the shipped rules with shorter waits."""
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    for path in rules.rglob("*.yaml"):
        path.write_text(re.sub(r"\b10s\b", "2s", path.read_text()))
    return rules


@pytest.mark.timeout(180)
def test_a_really_full_filesystem_is_found_and_the_machine_replaced(
    hasty_rules: Path, tmp_path: Path
) -> None:
    if not can_mount() and not os.environ.get("CI"):
        pytest.skip("this machine lets nobody mount a filesystem in a namespace of their own")
    report = tmp_path / "report.json"

    answer = subprocess.run(
        [
            *(sys.executable, "-m", "nodemend", "demo"),
            *("--nodes", "4", "--rules", str(hasty_rules), "--report", str(report)),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=ROOT,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
    said = json.loads(report.read_text())
    assert said["repairs"] == {"Recovered": 2}
    assert said["held"] == {"NoSlot": 1}
    assert said["limit_violations"] == 0
    assert said["violations"] == []
    assert said["real_node"]["faults"] == ["scratch-full"]
    assert said["real_node"]["outcome"] == "Recovered"
    assert "no space left on device" in answer.stdout
    assert "are taken by" in answer.stdout


def test_the_time_being_up_is_no_success(tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    answer = subprocess.run(
        [
            *(sys.executable, "-m", "nodemend", "demo"),
            *("--nodes", "2", "--for", "1s", "--report", str(report)),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )

    assert answer.returncode == 1
    assert "not every repair ended well" in answer.stdout
    assert json.loads(report.read_text())["repairs"] == {}
