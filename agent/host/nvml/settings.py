"""What an operator may set of NVML: where it lies, and how often it is asked."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

FOLDERS: Final = (
    "run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "run/nvidia/driver/usr/lib64",
    "run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "home/kubernetes/bin/nvidia/lib64",
    "var/lib/nvidia/lib64",
    "usr/local/nvidia/lib64",
    "x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/nvidia/tesla",
    "aarch64-bottlerocket-linux-gnu/sys-root/usr/lib/nvidia/tesla",
    "usr/local/glibc/usr/lib",
    "usr/local/glibc/lib",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
)
"""Where drivers put libnvidia-ml.so.1, below the host's root: in containers and clouds first.

In order: driver containers of NVIDIA's GPU operator (Debian and Ubuntu, Red Hat, 64-bit ARM); GKE,
Container-Optimized OS by itself, older GKE and AKS; Bottlerocket; Talos, new and old; Debian and
Ubuntu; Red Hat, Amazon Linux, SUSE; Azure Linux, last because others have 32-bit libraries there.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvml:
    """How the driver is asked."""

    libraries: tuple[str, ...] = FOLDERS
    """Folders of the host in which libnvidia-ml.so.1 is looked for before the loader's own. Where
    others than these are named, NVML is taken to be there even if no kernel module shows."""
    interval: timedelta = timedelta(seconds=12)
    """How often each GPU is asked what changes from one moment to the next."""
    links: timedelta = timedelta(minutes=1)
    """How often it is asked for links, fabric and modes."""
    slow: timedelta = timedelta(minutes=10)
    """How often it is asked for what is dear to read."""

    def __post_init__(self) -> None:
        """Refuse a pace that no GPU keeps up with."""
        for name in ("interval", "links", "slow"):
            if getattr(self, name) < timedelta(seconds=1):
                raise ValueError(f"{name}: expected 1s or more, got {getattr(self, name)}")

    @property
    def is_explicit(self) -> bool:
        """Say whether somebody said where NVML lies."""
        return self.libraries != FOLDERS
