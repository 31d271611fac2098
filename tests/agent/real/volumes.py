"""A filesystem on a disk of its own, which can be told to take nothing more for a while."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.host.kmsg import KMSG
from tests.lacking import lacking

_FREEZE: Final = 0xC0045877
_THAW: Final = 0xC0045878
_SIZE: Final = 16 << 20
_MOUNT: Final = ("mount", "-o", "loop,errors=remount-ro")


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount an ext4 on a loop device."""
    if os.geteuid() != 0 or not os.access(KMSG, os.R_OK):
        lacking("needs root and the kernel's log")
    image, mount = folder / "image", folder / "mounted"
    image.write_bytes(bytes(_SIZE))
    mount.mkdir()
    if shutil.which("mkfs.ext4") is None:
        lacking("needs mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run([*_MOUNT, image, mount], check=False).returncode:
        lacking("needs a loop device")
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def mount_anew(mount: Path) -> None:
    """Do what heals a filesystem that has erred."""
    subprocess.run(["umount", mount], check=True)
    subprocess.run([*_MOUNT, mount.parent / "image", mount], check=True)


def number(folder: Path) -> str:
    """Return the kernel's number of the device under a folder."""
    device = folder.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def disk(mount: Path) -> str:
    """Return the kernel's name of the disk under a mount."""
    return (Path("/sys/dev/block") / number(mount)).resolve().name


def err(mount: Path) -> None:
    """Let a filesystem meet an error."""
    broken = Path("/sys/fs/ext4") / disk(mount) / "trigger_fs_error"
    if not broken.exists():
        lacking("needs a kernel whose ext4 errs when asked to")
    broken.write_text("on purpose\n")


@contextlib.contextmanager
def frozen(mount: Path) -> Iterator[None]:
    """Let who writes to a filesystem sleep until the end."""
    door = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(door, _FREEZE, 0)
        try:
            yield
        finally:
            fcntl.ioctl(door, _THAW, 0)
    finally:
        os.close(door)


@contextlib.contextmanager
def looped(image: Path) -> Iterator[Path]:
    """Make a disk of a file."""
    found = subprocess.run(
        ["losetup", "--find", "--show", image], check=False, capture_output=True, text=True
    )
    if found.returncode:
        lacking("needs a loop device")
    disk = Path(found.stdout.strip())
    try:
        yield disk
    finally:
        subprocess.run(["losetup", "--detach", disk], check=True)
