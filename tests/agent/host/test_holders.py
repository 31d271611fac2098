"""Who holds the devices of GPUs, found by the real procfs in real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.host import holders
from agent.host.holders import Holder
from tests.agent import descriptors

PROC = Path("/proc")
HOLD = (
    "import sys; held = [open(each) for each in sys.argv[1:]]; print(flush=True); sys.stdin.read()"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev/nvidia-caps").mkdir(parents=True)
    (tmp_path / "dev/dri").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-caps/nvidia-cap1", "dri/card1", "sda"):
        (tmp_path / "dev" / name).touch()
    return tmp_path


@contextmanager
def holding(*paths: Path) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def found(root: Path) -> dict[int, Holder]:
    return {each.pid: each for each in holders.found(PROC, holders.devices(root))}


def test_devices_are_those_of_nvidia_and_of_graphics(root: Path) -> None:
    assert set(holders.devices(root).values()) == {
        "nvidia0",
        "nvidia1",
        "nvidiactl",
        "nvidia-caps/nvidia-cap1",
        "dri/card1",
    }


def test_a_machine_that_cannot_be_looked_at_for_want_of_descriptors_is_not_idle(root: Path) -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        holders.devices(root)


def test_devices_of_a_driver_container_are_the_machines_own(root: Path) -> None:
    there = root / "run/nvidia/driver/dev"
    there.mkdir(parents=True)
    (there / "nvidia7").touch()

    with holding(there / "nvidia7") as pid:
        assert found(root)[pid].devices == {"nvidia7"}


def test_a_process_is_found_with_all_that_it_holds_and_its_name(root: Path) -> None:
    with holding(root / "dev/nvidia1", root / "dev/nvidia-caps/nvidia-cap1") as pid:
        holder = found(root)[pid]

    assert holder.devices == {"nvidia1", "nvidia-caps/nvidia-cap1"}
    assert holder.name.startswith("python")
    assert holder.state in ("R", "S")


def test_a_process_that_has_ended_holds_nothing(root: Path) -> None:
    with holding(root / "dev/nvidia1") as pid:
        pass

    assert pid not in found(root)


def test_who_holds_something_else_is_nobodys_business(root: Path) -> None:
    with holding(root / "dev/sda") as pid:
        assert pid not in found(root)


def test_a_file_that_speaks_of_nvidia_and_is_no_device_is_not_even_looked_at(root: Path) -> None:
    data = root / "mnt/nfs/nvidia/weights"
    data.parent.mkdir(parents=True)
    os.link(root / "dev/nvidia0", data)  # who looks takes it for the device

    with holding(data) as pid:
        assert pid not in found(root)


def test_a_device_is_known_under_any_path_that_speaks_of_nvidia(root: Path) -> None:
    other = root / "dev/container-nvidia"
    os.link(root / "dev/nvidia0", other)

    with holding(other) as pid:
        assert found(root)[pid].devices == {"nvidia0"}


def test_a_device_of_the_same_name_on_another_machine_is_another_one(
    root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other/nvidia0"
    other.parent.mkdir()
    other.touch()

    with holding(other) as pid:
        assert pid not in found(root)


def test_the_graphics_devices_of_a_gpu_are_named_by_its_address(tmp_path: Path) -> None:
    drm = tmp_path / "bus/pci/devices/0000:3b:00.0/drm"
    for name in ("card1", "renderD128"):
        (drm / name).mkdir(parents=True)

    assert holders.cards(tmp_path, "0000:3b:00.0") == {"dri/card1", "dri/renderD128"}
    assert holders.cards(tmp_path, "0000:5d:00.0") == frozenset()


def test_a_machine_without_a_procfs_is_not_taken_for_an_idle_one(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        holders.found(root / "proc", holders.devices(root))
