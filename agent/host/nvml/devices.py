"""Where NVIDIA's devices are, and whether we may open them.

NVML opens what lies in /dev, from wherever it was loaded itself. But a driver that runs in a
container, as NVIDIA's GPU operator has it, may keep its devices there; and a container without
privileges may open none at all, which is no fault of the driver's.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

FOLDERS: Final = ("dev", "run/nvidia/driver/dev")
"""Where devices lie, below the host's root."""
DEV: Final = Path("/dev")
_CONTROL: Final = "nvidiactl"
_CLONE_NEWNS: Final = 0x20000
_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_SLAVE: Final = 0x80000


def found(root: Path) -> str:
    """Return the folder in which a host has NVIDIA's devices; nothing while there are none."""
    folders = (root / each for each in FOLDERS)
    return next((str(each) for each in folders if _has_control(each)), "")


def may_open(folder: str, dev: Path = DEV) -> bool:
    """Have the devices of a folder found where NVML looks for them, and say whether we may open it.

    Where they have to be moved there, only the calling thread sees them, and what it starts.

    Args:
        folder: Where the host has them; where it has none yet, NVML itself makes them.
        dev: Where NVML looks for them.
    """
    if not folder:
        return True
    if not (dev / _CONTROL).exists():
        _see(Path(folder), dev)
    try:
        os.close(os.open(dev / _CONTROL, os.O_RDWR | os.O_CLOEXEC))
    except (FileNotFoundError, PermissionError):
        return False
    except OSError:  # NVML will say what is wrong with the driver
        return True
    return True


def _has_control(folder: Path) -> bool:
    try:
        return (folder / _CONTROL).is_char_device()
    except OSError:
        return False


def _see(folder: Path, dev: Path) -> None:
    """Mount a folder where NVML looks for devices, for this thread alone; without the right, not.

    Nothing of it reaches the mounts of others, but what others unmount is unmounted here too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        return
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None):
        return
    libc.mount(bytes(folder), bytes(dev), None, _MS_BIND | _MS_REC, None)
