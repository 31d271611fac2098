"""Which processes of the machine hold NVIDIA devices open, by the host's own procfs.

A device is known by what it is, not by its path: a container makes nodes of its own. Only
descriptors whose path speaks of NVIDIA or of a graphics card in a folder of devices are looked at:
to ask after a file of a dead NFS server would hang us.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from agent.host import commands, ours
from agent.host.nvml import devices as places

Identity: TypeAlias = tuple[str, int, int]
"""What makes two open files one device: its number, or where a file lies."""

_FOLDERS: Final = ("", "nvidia-caps", "nvidia-caps-imex-channels", "dri")
_DEVICES: Final = "/dev/"
_SPEAKING: Final = ("nvidia", "/dri/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process with devices open."""

    pid: int
    """As the host counts."""
    name: str
    """The first fifteen letters of its name, as the kernel keeps them."""
    state: str
    """As /proc has it: D where it sleeps in the kernel."""
    devices: frozenset[str]
    """Below /dev: `nvidia0`, `nvidiactl`, `nvidia-caps/nvidia-cap1`."""


def devices(root: Path) -> Mapping[Identity, str]:
    """List the machine's NVIDIA and graphics devices with their names below /dev.

    Raises:
        OSError: they cannot be seen, for want of something on this machine.
    """
    found = {}
    for dev in (root / each for each in places.FOLDERS):
        for path in _nodes(dev):
            with contextlib.suppress(OSError):
                found[_identity(path.stat())] = str(path.relative_to(dev))
    return found


def found(procfs: Path, known: Mapping[Identity, str]) -> tuple[Holder, ...]:
    """Find who holds which of some devices; processes that end meanwhile hold nothing.

    Raises:
        OSError: there is no procfs, or it cannot be seen, for want of something on this machine.
    """
    every = (_holder(each, known) for each in sorted(_processes(procfs), key=_pid))
    return tuple(each for each in every if each is not None)


def cards(sysfs: Path, pci: str) -> frozenset[str]:
    """Name the graphics devices of a GPU below /dev, by its address on the bus."""
    try:
        below = os.listdir(sysfs / "bus/pci/devices" / pci / "drm")  # noqa: PTH208 - names are all
    except OSError:
        return frozenset()
    return frozenset(f"dri/{name}" for name in below)


def _nodes(dev: Path) -> Iterator[Path]:
    for folder in _FOLDERS:
        with ours.Raised():
            yield from (
                each
                for each in (dev / folder).iterdir()
                if (folder or each.name.startswith("nvidia")) and not each.is_dir()
            )


def _processes(procfs: Path) -> Iterable[Path]:
    return [each for each in procfs.iterdir() if each.name.isdecimal()]


def _pid(process: Path) -> int:
    return int(process.name)


def _holder(process: Path, known: Mapping[Identity, str]) -> Holder | None:
    with ours.Raised():
        held = frozenset(_held(process, known))
        name = (process / "comm").read_text(errors="replace").strip() if held else ""
        if held:
            return Holder(pid=_pid(process), name=name, state=commands.state(process), devices=held)
    return None


def _held(process: Path, known: Mapping[Identity, str]) -> Iterator[str]:
    for name in os.listdir(process / "fd"):  # noqa: PTH208 - paths of all would be too many
        descriptor = f"{process}/fd/{name}"
        with contextlib.suppress(OSError):
            target = os.readlink(descriptor)  # noqa: PTH115 - likewise
            if _DEVICES in target and any(each in target for each in _SPEAKING):
                device = known.get(_identity(os.stat(descriptor)))  # noqa: PTH116 - likewise
                if device is not None:
                    yield device


def _identity(status: os.stat_result) -> Identity:
    if stat.S_ISCHR(status.st_mode):
        return ("device", status.st_rdev, 0)
    return ("file", status.st_dev, status.st_ino)
