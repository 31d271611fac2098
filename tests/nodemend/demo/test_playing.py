"""The demo, as a person runs it: this machine is really sick, and really repaired."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "nodemend", "demo")


def can_mount() -> bool:
    """Say whether a filesystem can be mounted here, in a namespace of our own."""
    way = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    tried = subprocess.run(
        [*way, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


mounting = pytest.mark.skipif(
    not os.environ.get("CI") and not can_mount(),
    reason="this machine lets nobody mount a filesystem in a namespace of their own",
)


def of_no_terminal() -> dict[str, str]:
    """Return our environment; whoever runs tests side by side may say in it how wide a line is."""
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def demo(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=ROOT,
        env={**of_no_terminal(), **environ},
    )


@mounting
@pytest.mark.timeout(200)
def test_a_really_full_filesystem_is_found_and_every_sick_machine_is_replaced(
    tmp_path: Path,
) -> None:
    report, place = tmp_path / "report.json", tmp_path / "a place with blanks"
    place.mkdir()

    answer = demo("--nodes", "12", "--report", report, TMPDIR=str(place))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    said = json.loads(report.read_text())
    assert said["repairs"] == {"Recovered": said["faults"]}
    assert said["held"]["NoSlot"] >= 1
    assert (said["limit_violations"], said["violations"], said["unfinished"]) == (0, [], [])
    assert said["most_disrupted"]["pool gpu"] == 1
    assert said["real_node"]["faults"] == ["scratch-full"]
    assert said["real_node"]["outcome"] == "Recovered"
    assert 0 < said["latency_ms"]["p50"] < 5000
    assert "no space left on device" in answer.stdout
    assert "are taken by" in answer.stdout
    assert "its driver says XID 95" in answer.stdout
    assert "gpu-box       Verifying: reset GPU-" in answer.stdout
    assert "gpu-box       Recovered (Repaired)" in answer.stdout
    assert said["frozen"]["seconds"] >= 60
    assert said["frozen"]["taken_over_by"] != said["frozen"]["replica"]
    assert list(place.iterdir()) == []


@mounting
def test_without_a_compiler_there_is_no_stand_in_driver_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("unshare", "sh", "mount", "setpriv", "true"):
        (commands / name).symlink_to(str(shutil.which(name)))

    answer = demo("--nodes", "2", "--for", "1s", PATH=str(commands))

    assert answer.returncode == 1
    assert "Leaves out gpu-box" in answer.stdout
    assert "3 nodes, one is this machine" in answer.stdout


@mounting
def test_the_time_being_up_is_no_success(tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    answer = demo("--nodes", "2", "--for", "1s", "--report", report)

    assert answer.returncode == 1
    assert "not every repair ended" in answer.stdout
    assert json.loads(report.read_text())["repairs"] == {}


@mounting
def test_it_ends_at_once_when_it_is_told_to_and_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--nodes", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert any("the agent reports" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, complaint = process.communicate(timeout=30)

    assert process.returncode == 130
    assert complaint == "nodemend: the demo was ended early; nothing of it is left.\n"
    assert time.monotonic() - asked < 5
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in running()


@mounting
def test_it_ends_when_nobody_reads_what_it_tells(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--nodes", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**of_no_terminal(), "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=30) == 130
    assert complaint == "nodemend: the demo was ended early; nothing of it is left.\n"
    assert list(tmp_path.iterdir()) == []


def running() -> str:
    """Return the commands of all processes."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_report_that_nobody_could_write_is_refused_before_anything_begins() -> None:
    answer = demo("--report", "/nowhere/report.json")

    assert answer.returncode == 2
    assert answer.stderr == (
        "nodemend: --report /nowhere/report.json: expected a file to write, "
        "No such file or directory\n"
    )
    assert answer.stdout == ""
