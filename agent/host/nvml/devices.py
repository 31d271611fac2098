"""Where NVIDIA's devices are, and whether we may open them.

NVML opens what lies in /dev, from wherever it was loaded itself. But a driver that runs in a
container, as NVIDIA's GPU operator has it, may keep its devices there; and a container without
privileges may open none at all, which is no fault of the driver's.
"""

import ctypes
import os
import stat
from typing import Final, TypeAlias

Folder: TypeAlias = str | os.PathLike[str]

FOLDERS: Final = ("dev", "run/nvidia/driver/dev")
"""Where devices lie, below the host's root."""
DEV: Final = "/dev"
_CONTROL: Final = "nvidiactl"
_CLONE_NEWNS: Final = 0x20000
_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_SLAVE: Final = 0x80000


def found(root: Folder) -> str:
    """Return the folder in which a host has NVIDIA's devices; nothing while there are none."""
    folders = (os.path.join(root, each) for each in FOLDERS)
    return next(filter(_has_control, folders), "")


def may_open(folder: str, dev: Folder = DEV) -> bool:
    """Have the devices of a folder found where NVML looks for them, and say whether we may open it.

    Where they have to be moved there, only the calling thread sees them, and what it starts.

    Args:
        folder: Where the host has them; where it has none yet, NVML itself makes them.
        dev: Where NVML looks for them.
    """
    if not folder:
        return True
    control = os.path.join(dev, _CONTROL)
    if not os.path.exists(control):
        _see(folder, dev)
    try:
        os.close(os.open(control, os.O_RDWR | os.O_CLOEXEC))
    except (FileNotFoundError, PermissionError):
        return False
    except OSError:  # NVML will say what is wrong with the driver
        return True
    return True


def _has_control(folder: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(os.path.join(folder, _CONTROL)).st_mode)
    except OSError:
        return False


def _see(folder: str, dev: Folder) -> None:
    """Mount a folder where NVML looks for devices, for this thread alone; without the right, not.

    Nothing of it reaches the mounts of others, but what others unmount is unmounted here too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        return
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None):
        return
    libc.mount(os.fsencode(folder), os.fsencode(dev), None, _MS_BIND | _MS_REC, None)
