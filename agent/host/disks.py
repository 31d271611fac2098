"""Which disks and NVMe controllers the machine has, and which disks carry its filesystems."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes
from agent.host.mounts import Filesystem

_FABRICS: Final = frozenset({"fc", "loop", "rdma", "tcp"})
"""How a controller in another machine is reached; such a volume comes and goes with a pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One whole disk with hardware, or a hypervisor, behind it."""

    name: str
    serial: str
    """Its identity under whichever name; empty where it has none."""
    errors: int | None
    """Commands that failed since it was found; None where its driver does not count them."""
    is_in_use: bool
    """Whether one of the filesystems asked about lies on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One NVMe controller in this machine."""

    name: str
    state: str
    """Such as `live`, `resetting` or `dead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All disks and controllers that are there."""

    disks: tuple[Disk, ...]
    controllers: tuple[Controller, ...]


def found(sysfs: Path, filesystems: Iterable[Filesystem]) -> Storage | None:
    """Read sysfs, or return None where it is not mounted.

    Raises:
        OSError: something is there, but cannot be read.
    """
    names = attributes.names(sysfs / "block")
    if names is None:
        return None
    volumes = (_volume(sysfs, each) for each in filesystems)
    used = {disk for volume in volumes if volume is not None for disk in _below(volume)}
    disks = (_disk(sysfs / "block" / name, is_in_use=name in used) for name in names)
    controllers = attributes.names(sysfs / "class/nvme") or ()
    known = (_controller(sysfs / "class/nvme" / each) for each in controllers)
    return Storage(
        disks=tuple(disk for disk in disks if disk is not None),
        controllers=tuple(each for each in known if each is not None),
    )


def volumes(sysfs: Path, filesystems: Iterable[Filesystem]) -> Mapping[str, str]:
    """Return where filesystems are mounted, by the names that the kernel's log has for them."""
    found = ((_volume(sysfs, each), each.mount) for each in filesystems)
    return {volume.resolve().name: mount for volume, mount in found if volume and volume.exists()}


def _disk(folder: Path, *, is_in_use: bool) -> Disk | None:
    """Read one disk: not one of software, not a drive for media, not a dead one that is kept."""
    size = attributes.number(folder / "size")
    if not size or not (folder / "device").exists():
        return None
    if attributes.text(folder / "removable") == "1":
        return None
    serials = (attributes.text(folder / each) for each in ("serial", "wwid", "device/wwid"))
    return Disk(
        name=folder.name,
        serial=next((" ".join(each.split()) for each in serials if each), ""),
        errors=attributes.number(folder / "device/ioerr_cnt"),
        is_in_use=is_in_use,
    )


def _controller(folder: Path) -> Controller | None:
    state = attributes.text(folder / "state")
    if state is None or attributes.text(folder / "transport") in _FABRICS:
        return None
    return Controller(name=folder.name, state=state)


def _volume(sysfs: Path, filesystem: Filesystem) -> Path | None:
    """Find a filesystem's volume by its number, or by name where, as in btrfs, it has its own."""
    if not filesystem.number.startswith("0:"):
        return sysfs / "dev/block" / filesystem.number
    if not filesystem.device.startswith("/dev/"):
        return None
    return sysfs / "class/block" / filesystem.device.rpartition("/")[2]


def _below(volume: Path) -> Iterator[str]:
    """Give the names of the disks under a volume, through partitions, RAID and mapped devices."""
    if not volume.exists():
        return
    real = volume.resolve()
    whole = real.parent if (real / "partition").exists() else real
    lower = attributes.names(whole / "slaves") or ()
    if not lower:
        yield whole.name
    for each in lower:
        yield from _below(whole / "slaves" / each)
