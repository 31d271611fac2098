"""The catalogue: every signal that an agent may report and a rule may ask for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nodehealth.signals import FieldType, Grid, Kind, Signal, Unit

_HALF_PERCENT: Final = Grid(step=0.005, hysteresis=0.0025)

_SIGNALS: Final = (
    Signal(
        name="disk.free_ratio",
        kind=Kind.LEVEL,
        about="Share of a filesystem's space that an unprivileged process may still use.",
        subject="mount point",
        source="statvfs(3): f_bavail / (f_blocks - f_bfree + f_bavail)",
        unit=Unit.RATIO,
        grid=_HALF_PERCENT,
        fields={"device": FieldType.STRING, "fstype": FieldType.STRING},
        unknown="statvfs did not return in time: the mount hangs or is gone.",
    ),
    Signal(
        name="disk.free_inodes_ratio",
        kind=Kind.LEVEL,
        about="Share of a filesystem's inodes that are free.",
        subject="mount point",
        source="statvfs(3): f_favail / f_files; not applicable where f_files is 0",
        unit=Unit.RATIO,
        grid=_HALF_PERCENT,
        fields={"device": FieldType.STRING, "fstype": FieldType.STRING},
        unknown="statvfs did not return in time: the mount hangs or is gone.",
    ),
    Signal(
        name="gpu.xid",
        kind=Kind.EVENT,
        about="The NVIDIA driver reported an XID error.",
        subject="GPU UUID, or its PCI address where the UUID is not known",
        source="NVML event or kernel log line `NVRM: Xid`, counted once",
        fields={"code": FieldType.INT, "pci": FieldType.STRING},
        urgent=True,
    ),
)

CATALOGUE: Final[Mapping[str, Signal]] = MappingProxyType({each.name: each for each in _SIGNALS})
