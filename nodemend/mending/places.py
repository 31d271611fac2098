"""How the programs of a host are reached from where we run, by the places of known systems."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

INTO_HOST: Final = (
    "nsenter",
    "--target",
    "1",
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--",
)
"""How a container of the host's process namespace runs a program of the host.

A mere chroot is not enough: systemctl sees that it is in one, and then does nothing.
"""
MACHINE: Final = Path("/")

_OPTIMIZED: Final = "home/kubernetes/bin/nvidia"
"""Where Container-Optimized OS has the driver."""
_DRIVERS: Final = (
    ("usr/bin/nvidia-smi", ("nvidia-smi",)),
    ("run/nvidia/driver/usr/bin/nvidia-smi", ("chroot", "/run/nvidia/driver", "nvidia-smi")),
    (
        f"{_OPTIMIZED}/bin/nvidia-smi",
        ("env", f"LD_LIBRARY_PATH=/{_OPTIMIZED}/lib64", f"/{_OPTIMIZED}/bin/nvidia-smi"),
    ),
    ("run/current-system/sw/bin/nvidia-smi", ("/run/current-system/sw/bin/nvidia-smi",)),
)
"""Where nvidia-smi lies below a host's root, and how it is called there.

On the host itself; in a driver container, as the GPU operator has it; on Container-Optimized OS;
on NixOS.
"""


def host(root: Path) -> tuple[str, ...]:
    """Return what comes before the words of a command of the host."""
    return () if root == MACHINE else INTO_HOST


def nvidia_smi(root: Path, exists: Callable[[Path], bool]) -> Sequence[str]:
    """Return how nvidia-smi is called."""
    found = (words for path, words in _DRIVERS if exists(root / path))
    return (*host(root), *next(found, ("nvidia-smi",)))
