"""What the kernel shows of NVIDIA's devices, for which no driver is asked."""

import os
from pathlib import Path

import pytest

from agent.host.nvml import bus
from agent.host.nvml.facts import Bus
from tests.agent import descriptors
from tests.agent.host.nvml.stands import device, module

GPU, OTHER = "0000:3b:00.0", "0000:86:00.0"


def test_a_machine_without_anything_of_nvidias_has_nothing(tmp_path: Path) -> None:
    assert bus.scan(tmp_path).bus == Bus()
    assert bus.glance(tmp_path, ("/usr/lib64",)) == bus.Glance()


def test_gpus_for_computing_and_for_display_are_gpus(tmp_path: Path) -> None:
    device(tmp_path, GPU, kind="0x030200")
    device(tmp_path, OTHER, kind="0x030000")

    assert bus.scan(tmp_path).bus.gpus == (GPU, OTHER)


def test_what_else_there_is_is_none(tmp_path: Path) -> None:
    device(tmp_path, GPU, kind="0x040300")  # a card's sound
    device(tmp_path, OTHER)
    (tmp_path / "sys/bus/pci/devices" / OTHER / "vendor").write_text("0x1002\n")

    assert bus.scan(tmp_path).bus == Bus()


def test_switches_are_told_apart(tmp_path: Path) -> None:
    device(tmp_path, GPU, kind="0x068000")

    found = bus.scan(tmp_path).bus

    assert (found.gpus, found.switches) == ((), (GPU,))


def test_a_gpu_of_a_virtual_machine_is_passed_on(tmp_path: Path) -> None:
    device(tmp_path, GPU, driver="vfio-pci")
    device(tmp_path, OTHER)

    found = bus.scan(tmp_path)

    assert (found.bus.gpus, found.passed_on) == ((OTHER,), (GPU,))


@pytest.mark.parametrize(
    ("config", "fallen"), [(b"\xff" * 256, (GPU,)), (b"\xde\x10\xff\xff", ()), (b"", ())]
)
def test_a_gpu_whose_configuration_reads_ones_has_fallen(
    tmp_path: Path, config: bytes, fallen: tuple[str, ...]
) -> None:
    device(tmp_path, GPU, config=config)

    assert bus.scan(tmp_path).bus.fallen == fallen


def test_link_widths_are_read_where_they_are_told(tmp_path: Path) -> None:
    device(tmp_path, GPU)
    device(tmp_path, OTHER)
    (tmp_path / "sys/bus/pci/devices" / OTHER / "current_link_width").write_text("Unknown\n")

    assert bus.scan(tmp_path).bus.lanes == {GPU: (16, 16)}


def test_device_files_are_counted_but_for_those_of_the_driver_itself(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "null"):
        (tmp_path / "dev" / name).touch()

    assert bus.scan(tmp_path).bus.nodes == 2


def test_the_module_and_the_first_library_are_found(tmp_path: Path) -> None:
    module(tmp_path, "570.124.06")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/libnvidia-ml.so.1").touch()

    seen = bus.glance(tmp_path, ("/a", "/b"))

    assert (seen.module, seen.library) == ("570.124.06", str(tmp_path / "b/libnvidia-ml.so.1"))


def test_a_wish_to_release_nvml_has_its_time(tmp_path: Path) -> None:
    wish = tmp_path / "run/nodemend/release-nvml"
    wish.parent.mkdir(parents=True)
    wish.touch()
    os.utime(wish, (1000, 1000))

    assert bus.glance(tmp_path, ()).released_at == 1000


def test_a_bus_that_cannot_be_read_for_want_of_descriptors_is_not_an_empty_one(
    tmp_path: Path,
) -> None:
    device(tmp_path, "0000:3b:00.0")

    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        bus.scan(tmp_path)
