"""What sysfs and /dev of a stand-in machine say, so that they agree with NVML."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from simulator.driver.control import Driver

DEVICES: Final = "sys/bus/pci/devices"
GPU: Final = f"{DEVICES}/0000:61:00.0"


def text(driver: Driver, path: str) -> str:
    return (driver.root / path).read_text().strip()


def of_class(driver: Driver, kind: str) -> list[str]:
    devices = (driver.root / DEVICES).iterdir()
    return sorted(each.name for each in devices if (each / "class").read_text().strip() == kind)


def test_gpus_and_switches_are_on_the_bus(driver: Driver) -> None:
    assert of_class(driver, "0x030200") == sorted(driver.pci(gpu) for gpu in range(8))
    assert of_class(driver, "0x068000") == [f"0000:{bus}:00.0" for bus in ("07", "08", "09", "0a")]


def test_a_gpu_says_what_it_is(driver: Driver) -> None:
    names = ("vendor", "device", "subsystem_device", "current_link_width", "current_link_speed")

    assert [text(driver, f"{GPU}/{name}") for name in names] == [
        *("0x10de", "0x2330", "0x16c1", "16", "32.0 GT/s PCIe")
    ]
    assert (driver.root / GPU / "config").read_bytes()[:4] == bytes.fromhex("de103023")
    assert (driver.root / GPU / "driver").resolve().name == "nvidia"


def test_a_machine_without_switches_has_none(install: Callable[[str], Driver]) -> None:
    driver = install("l40sx4")

    assert of_class(driver, "0x068000") == []
    assert len(of_class(driver, "0x030200")) == 4


def test_there_is_a_node_for_each_gpu_and_the_driver(driver: Driver) -> None:
    nodes = {node.name for node in (driver.root / "dev").iterdir()}

    assert {f"nvidia{minor}" for minor in range(8)} | {"nvidiactl"} <= nodes


def test_the_configuration_space_of_a_lost_gpu_reads_ff(driver: Driver) -> None:
    driver.lose(3)
    lost = (driver.root / GPU / "config").read_bytes()
    driver.find(3)

    assert set(lost) == {0xFF}
    assert (driver.root / GPU / "config").read_bytes()[:2] == bytes.fromhex("de10")


def test_an_unloaded_driver_is_no_module_and_has_no_devices(driver: Driver) -> None:
    loaded = text(driver, "sys/module/nvidia/version")
    driver.unload()
    module, bound = (driver.root / "sys/module/nvidia"), (driver.root / GPU / "driver")
    unloaded = module.exists(), bound.is_symlink()
    driver.load("575.57.08")

    assert loaded == "570.124.06"
    assert unloaded == (False, False)
    assert text(driver, "sys/module/nvidia/version") == "575.57.08"
    assert bound.resolve().name == "nvidia"


def test_a_narrower_link_is_narrower_in_sysfs_too(driver: Driver) -> None:
    driver.set(3, "nvmlDeviceGetCurrPcieLinkWidth", 8)

    assert text(driver, f"{GPU}/current_link_width") == "8"
    assert text(driver, f"{GPU}/max_link_width") == "16"


def test_another_machine_leaves_nothing_of_the_one_before(
    install: Callable[[str], Driver], tmp_path: Path
) -> None:
    install("h100x8")
    driver = install("t4")

    assert driver.folder == tmp_path / "driver"
    assert [each.name for each in (driver.root / DEVICES).iterdir()] == ["0000:3b:00.0"]
