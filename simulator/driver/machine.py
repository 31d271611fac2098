"""The rest of a stand-in machine: what sysfs and /dev say of the GPUs that NVML speaks of."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from simulator.driver.recording import PCI, sysfs_address
from simulator.driver.state import State

NVIDIA: Final = 0x10DE
GPU_CLASS: Final = 0x030200
SWITCH_CLASS: Final = 0x068000
_SWITCH_DEVICE: Final = 0x22A3
_SWITCH: Final = 2
"""A switch, where NVML tells what is at the other end of an NVLink."""
_CONFIG_BYTES: Final = 256
_SPEEDS: Final = ("Unknown", "2.5", "5.0", "8.0", "16.0", "32.0", "64.0")
"""Of the generations of PCIe, in GT/s."""


def show(root: Path, state: State) -> None:
    """Let the tree below `root` say what the state says; what is so already is left alone."""
    devices = root / "sys/bus/pci/devices"
    for gpu, answers in enumerate(state.gpus):
        folder = devices / sysfs_address(answers[PCI]["busId"])
        _show_device(folder, _gpu(answers), lost=gpu in state.lost)
        _put(root / f"dev/nvidia{answers.get('nvmlDeviceGetMinorNumber', gpu)}", b"")
        _bind(folder, "nvidia" if state.loaded else "")
    for at, address in enumerate(switches(state)):
        _show_device(devices / address, _switch())
        _bind(devices / address, "nvidia-nvswitch" if state.loaded else "")
        _put(root / f"dev/nvidia-nvswitch{at}", b"")
    for node in ("nvidiactl", "nvidia-uvm"):
        _put(root / "dev" / node, b"")
    _show_module(root / "sys/module/nvidia", state)


def switches(state: State) -> tuple[str, ...]:
    """Return the addresses of the NVSwitches, as sysfs has them."""
    return tuple(sorted({address for gpu in state.gpus for address in _switches_of(gpu)}))


def _switches_of(gpu: Mapping[str, Any]) -> Iterator[str]:
    types = gpu.get("nvmlDeviceGetNvLinkRemoteDeviceType") or {}
    for link, address in (gpu.get("nvmlDeviceGetNvLinkRemotePciInfo_v2") or {}).items():
        if types.get(link) == _SWITCH and isinstance(address, str):
            yield sysfs_address(address)


def _gpu(answers: Mapping[str, Any]) -> Mapping[str, bytes]:
    number, subsystem = (answers[PCI].get(key, 0) for key in ("pciDeviceId", "pciSubSystemId"))
    return {
        **_identity(GPU_CLASS, number >> 16, subsystem),
        **dict(_link(answers, "current", "nvmlDeviceGetCurrPcieLink")),
        **dict(_link(answers, "max", "nvmlDeviceGetMaxPcieLink")),
    }


def _switch() -> Mapping[str, bytes]:
    return _identity(SWITCH_CLASS, _SWITCH_DEVICE, 0x16C110DE)


def _identity(kind: int, device: int, subsystem: int) -> Mapping[str, bytes]:
    words = NVIDIA | device << 16, 0x00100406, kind << 8 | 0xA1, 0
    config = b"".join(word.to_bytes(4, "little") for word in words)
    config = config.ljust(0x2C, b"\0") + subsystem.to_bytes(4, "little")
    return {
        "vendor": _line(f"0x{NVIDIA:04x}"),
        "device": _line(f"0x{device:04x}"),
        "subsystem_vendor": _line(f"0x{subsystem & 0xFFFF:04x}"),
        "subsystem_device": _line(f"0x{subsystem >> 16:04x}"),
        "class": _line(f"0x{kind:06x}"),
        "config": config.ljust(_CONFIG_BYTES, b"\0"),
    }


def _link(answers: Mapping[str, Any], which: str, function: str) -> Iterator[tuple[str, bytes]]:
    width, generation = answers.get(f"{function}Width"), answers.get(f"{function}Generation")
    if isinstance(width, int):
        yield f"{which}_link_width", _line(str(width))
    if isinstance(generation, int):
        yield f"{which}_link_speed", _line(f"{_SPEEDS[generation]} GT/s PCIe")


def _show_device(folder: Path, files: Mapping[str, bytes], *, lost: bool = False) -> None:
    for name, content in files.items():
        is_config = name == "config"
        _put(folder / name, b"\xff" * len(content) if lost and is_config else content)


def _bind(device: Path, driver: str) -> None:
    """Let a device say which driver it has."""
    link, wanted = device / "driver", Path("../../drivers") / driver
    if link.is_symlink() and (not driver or link.readlink() != wanted):
        link.unlink()
    if driver and not link.is_symlink():
        (device.parent.parent / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        link.symlink_to(wanted)


def _show_module(folder: Path, state: State) -> None:
    version = folder / "version"
    if state.loaded:
        _put(version, _line(state.module))
        return
    version.unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _put(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content)
    unfinished.rename(path)
