"""`nodemend record-gpu` writes down what a machine's GPUs say, or why it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.driver import recording
from simulator.driver.build import BuildError
from simulator.driver.control import Driver
from tests.lacking import lacking

HERE = Path(__file__).parents[2]


def record(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Type the command."""
    command = [sys.executable, "-m", "nodemend", "record-gpu", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environ},
        cwd=HERE,
    )


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """A stand-in driver of eight GPUs."""
    driver = Driver(tmp_path_factory.mktemp("driver"))
    try:
        driver.install(recording.load("h100x8"))
    except BuildError as missing:
        lacking(str(missing))
    return driver


def test_a_recording_is_one_that_can_be_played(driver: Driver, tmp_path: Path) -> None:
    out = tmp_path / "machine.yaml"

    done = record("--library", driver.folder, "--out", out, **driver.environ())

    assert (done.returncode, done.stderr) == (0, "")
    written = recording.load(out)
    original = driver.state().gpus
    names = [gpu["nvmlDeviceGetName"] for gpu in written.gpus]
    assert names == [gpu["nvmlDeviceGetName"] for gpu in original]
    assert not any(gpu["nvmlDeviceGetUUID"] in out.read_text() for gpu in original)
    assert not any(gpu["nvmlDeviceGetSerial"] in out.read_text() for gpu in original)


def test_where_no_driver_is_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()

    done = record("--root", tmp_path)

    assert done.returncode == 2
    assert f"{tmp_path}: expected a driver that is up, found it absent" in done.stderr
    assert "with 0 NVIDIA GPUs on the PCI bus" in done.stderr


def test_a_file_that_cannot_be_written_is_said(driver: Driver) -> None:
    done = record("--library", driver.folder, "--out", "/nowhere/a.yaml", **driver.environ())

    assert done.returncode == 2
    assert "/nowhere/a.yaml: expected a file to write, No such file or directory" in done.stderr
