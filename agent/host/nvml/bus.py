"""Which NVIDIA devices the machine has, as the kernel says without asking NVIDIA's driver."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.host import ours
from agent.host.nvml import devices, release
from agent.host.nvml.facts import Bus

_NVIDIA: Final = "0x10de"
_GPUS: Final = ("0x0300", "0x0302")
_SWITCHES: Final = ("0x0680",)
_PASSED_ON: Final = "vfio-pci"
"""The driver of a device that a virtual machine has for itself."""
_NODE: Final = re.compile(r"nvidia\d+")
_GONE: Final = b"\xff" * 4
_LIBRARY: Final = "libnvidia-ml.so.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What may change from one moment to the next."""

    module: str = ""
    """The version of the kernel module nvidia; empty while it is not loaded."""
    library: str = ""
    """Where NVML was found; empty where it was not."""
    devices: str = ""
    """The folder of the host in which NVIDIA's devices were found; empty where there were none."""
    released_at: float | None = None
    """When somebody wanted us to close NVML, by the wall clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is on the bus."""

    bus: Bus = field(default_factory=Bus)
    passed_on: tuple[str, ...] = ()
    """Addresses of GPUs that virtual machines have for themselves."""


def glance(root: Path, folders: tuple[str, ...]) -> Glance:
    """Look whether the driver is there, and whether we are to leave it alone.

    Raises:
        OSError: it cannot be seen, for want of something on this machine.
    """
    library = next(
        (str(each) for each in _libraries(root, folders) if each.is_file()),
        "",
    )
    return Glance(
        module=_text(root / "sys/module/nvidia/version"),
        library=library,
        devices=devices.found(root),
        released_at=_written_at(root / release.RELEASE),
    )


def scan(root: Path) -> Scan:
    """Read what is on the PCI bus and in /dev.

    Raises:
        OSError: it cannot be seen, for want of something on this machine.
    """
    plugged = list(_devices(root / "sys/bus/pci/devices"))
    found = [each for each in plugged if _is(each, _GPUS)]
    passed_on = [each for each in found if _is_passed_on(each)]
    gpus = [each for each in found if each not in passed_on]
    known = Bus(
        gpus=tuple(each.name for each in gpus),
        fallen=tuple(each.name for each in gpus if _has_fallen(each)),
        switches=tuple(each.name for each in plugged if _is(each, _SWITCHES)),
        lanes={each.name: lanes for each in gpus if (lanes := _lanes(each))},
        nodes=len({each for each in _nodes(root) if _NODE.fullmatch(each)}),
        module=_text(root / "sys/module/nvidia/version"),
    )
    return Scan(bus=known, passed_on=tuple(each.name for each in passed_on))


def _libraries(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield root / folder.lstrip("/") / _LIBRARY


def _devices(folder: Path) -> Iterator[Path]:
    for name in sorted(_names(folder)):
        if _text(folder / name / "vendor") == _NVIDIA:
            yield folder / name


def _nodes(root: Path) -> Iterator[str]:
    for folder in devices.FOLDERS:
        yield from _names(root / folder)


def _is(device: Path, classes: tuple[str, ...]) -> bool:
    return _text(device / "class").startswith(classes)


def _is_passed_on(device: Path) -> bool:
    driver = device / "driver"
    return driver.is_symlink() and driver.readlink().name == _PASSED_ON


def _has_fallen(device: Path) -> bool:
    """Read from the device itself: what is not there any more reads as ones."""
    with ours.Raised(), (device / "config").open("rb", buffering=0) as config:
        return config.read(4) == _GONE
    return False


def _lanes(device: Path) -> tuple[int, int] | None:
    """Read how wide a link is, and how wide both of its ends are made for.

    In a virtual machine the slot has no width of its own, and the card may have been plugged into a
    narrower one than it is made for: there, what it has is as much as is known to be possible.
    """
    present, card = _width(device / "current_link_width"), _width(device / "max_link_width")
    slot = _width(device.resolve().parent / "max_link_width")
    if present is None:
        return None
    return present, present if card is None or slot is None else min(card, slot)


def _width(file: Path) -> int | None:
    said = _text(file)
    return int(said) if said.isdigit() else None


def _names(folder: Path) -> list[str]:
    with ours.Raised():
        return [each.name for each in folder.iterdir()]
    return []


def _text(file: Path) -> str:
    with ours.Raised(), contextlib.suppress(UnicodeDecodeError):
        return file.read_text(encoding="utf-8").strip()
    return ""


def _written_at(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None
