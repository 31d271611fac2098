"""NVIDIA's devices are found where a driver keeps them, and who may not open them knows it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent.host.nvml import devices
from tests.lacking import lacking

NULL: Final = os.makedev(1, 3)
NOBODY: Final = 65534
ROOT: Final = Path(__file__).parents[4]
ASK: Final = (
    "import os, sys; from pathlib import Path; from agent.host.nvml import devices;"
    "os.setuid(int(sys.argv[3])); dev = Path(sys.argv[2]);"
    "print(devices.may_open(sys.argv[1], dev), (dev / 'nvidia0').exists())"
)
HOST: Final = "dev"
CONTAINER: Final = "run/nvidia/driver/dev"


def node(folder: Path, *, mode: int = 0o666) -> Path:
    """Make NVIDIA's devices in a folder; they are the null device, which nobody minds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("nvidiactl", "nvidia0"):
        try:
            os.mknod(folder / name, stat.S_IFCHR | mode, NULL)
            os.close(os.open(folder / name, os.O_RDWR))
        except PermissionError:
            lacking("devices cannot be made here: run as root, on a filesystem that allows them")
        (folder / name).chmod(mode)
    return folder


def asked(folder: Path | str, dev: Path, *, user: int = 0) -> str:
    """Ask in a process of its own, for it may come to see another /dev than we."""
    dev.mkdir(exist_ok=True)
    words = [sys.executable, "-c", ASK, str(folder), str(dev), str(user)]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60)
    return said.stdout.strip()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that any user gets to: pytest's own are for one user alone."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize("folder", [HOST, CONTAINER])
def test_devices_are_found_where_the_driver_keeps_them(tmp_path: Path, folder: str) -> None:
    there = node(tmp_path / folder)

    assert devices.found(tmp_path) == str(there)


def test_the_hosts_own_come_before_those_of_a_container(tmp_path: Path) -> None:
    node(tmp_path / CONTAINER)
    there = node(tmp_path / HOST)

    assert devices.found(tmp_path) == str(there)


def test_what_is_no_device_is_none(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()

    assert devices.found(tmp_path) == ""


def test_devices_that_are_not_there_yet_are_left_to_nvml_to_make(tmp_path: Path) -> None:
    assert devices.may_open("", tmp_path)


def test_devices_of_a_driver_container_are_seen_where_nvml_looks(tmp_path: Path) -> None:
    there = node(tmp_path / CONTAINER)

    assert asked(there, tmp_path / "dev") == "True True"
    assert not (tmp_path / "dev/nvidia0").exists(), "only who asked sees them"


def test_who_may_not_open_a_device_is_told_so(open_to_all: Path) -> None:
    there = node(open_to_all / HOST, mode=0o600)

    assert asked(there, there) == "True True"
    assert asked(there, there, user=NOBODY) == "False True"


def test_who_may_not_move_devices_cannot_open_them_either(open_to_all: Path) -> None:
    there = node(open_to_all / CONTAINER)

    assert asked(there, open_to_all / "dev", user=NOBODY) == "False False"


def test_what_else_is_wrong_with_a_device_nvml_will_say(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").mkdir()  # cannot be opened for writing, whoever tries

    assert devices.may_open(str(tmp_path), tmp_path)
