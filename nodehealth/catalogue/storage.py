"""Signals of how disks work, what they are bundled into, and what is mounted over networks."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

_DISK: Final = "disk, such as nvme0n1"
_CONTROLLER: Final = "controller, such as nvme0"
_SCSI: Final = "disk, such as sda"
_UNASKED: Final = "The program did not end in time, may not be run, or told nothing of the disk."

SIGNALS: Final = (
    Signal(
        name="block.stuck",
        kind=Kind.LEVEL,
        about="A disk has commands under way, and none comes to its end.",
        subject=_DISK,
        source="/sys/block/*/stat: something is in flight in every look, and nothing ended for as "
        "long as the agent's settings allow, a minute if they say nothing",
        unit=Unit.BOOLEAN,
        urgent=True,
    ),
    Signal(
        name="block.latency_seconds",
        kind=Kind.LEVEL,
        about="How long a disk's reads and writes take, on average.",
        subject=_DISK,
        source="/sys/block/*/stat: time of reads and writes over their number, between two looks; "
        "0 where there were none, and what it was while none comes to its end",
        unit=Unit.SECONDS,
        grid=grids.ONE_SECOND,
    ),
    Signal(
        name="raid.disks_missing",
        kind=Kind.LEVEL,
        about="How many disks a RAID by software lacks, those included that it is about to fill.",
        subject="array, such as md0",
        source="/sys/block/md*/md/degraded",
        fields={"level": FieldType.STRING},
    ),
    Signal(
        name="raid.failed",
        kind=Kind.LEVEL,
        about="A RAID by software that was active in this boot is not, or has lost too many disks.",
        subject="array, such as md0",
        source="/sys/block/md*/md/array_state: `broken`, `inactive` or `clear`; or `degraded` is "
        "more than the level can bear; not applicable until it was active",
        unit=Unit.BOOLEAN,
        fields={"level": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="multipath.paths_down",
        kind=Kind.LEVEL,
        about="How many paths to a volume do not work, or are not there any more.",
        subject="name of the volume",
        source="/sys/block/dm-*/slaves/*/device/state of volumes whose dm/uuid begins with mpath-; "
        "`paths` is the most that there were in this boot",
        fields={"paths": FieldType.INT},
    ),
    Signal(
        name="disk.mount_hung",
        kind=Kind.LEVEL,
        about="A filesystem on the network does not answer, or says that its server is gone.",
        subject="mount point",
        source="statvfs(3) in a thread that may be lost; pods' own mounts are not asked",
        unit=Unit.BOOLEAN,
        fields={
            "device": FieldType.STRING,
            "fstype": FieldType.STRING,
            "error": FieldType.STRING,
        },
        unknown="It answers that the agent may not ask it.",
    ),
    Signal(
        name="disk.mount_missing",
        kind=Kind.LEVEL,
        about="What is to be mounted on the host is not.",
        subject="mount point",
        source="/proc/self/mountinfo, against the agent's settings, and against /etc/fstab as far "
        "as it was mounted in this boot; not `noauto` and what systemd mounts on demand",
        unit=Unit.BOOLEAN,
    ),
    Signal(
        name="nvme.critical_warning",
        kind=Kind.LEVEL,
        about="An NVMe disk warns of itself: the sum of what it warns of.",
        subject=_CONTROLLER,
        source="smartctl or nvme, if the agent has one and the disk's device, once an hour: 1 few "
        "spares, 2 temperature, 4 unreliable, 8 read-only, 16 no power to save its cache; `means` "
        "says so",
        fields={"means": FieldType.STRING},
        unknown=_UNASKED,
    ),
    Signal(
        name="nvme.used_ratio",
        kind=Kind.LEVEL,
        about="Share of its life that an NVMe disk has behind it, as its maker reckons; may be >1.",
        subject=_CONTROLLER,
        source="percentage_used, likewise",
        unit=Unit.RATIO,
        grid=grids.TENTHS,
        unknown=_UNASKED,
    ),
    Signal(
        name="nvme.media_errors",
        kind=Kind.EVENT,
        about="An NVMe disk could not give back what was written to it.",
        subject=_CONTROLLER,
        source="growth of media_errors, likewise",
    ),
    Signal(
        name="nvme.spare_ratio",
        kind=Kind.LEVEL,
        about="Share of an NVMe disk's spare blocks that is left until its maker calls them few.",
        subject=_CONTROLLER,
        source="available_spare above its threshold, over all that is above it, likewise; not "
        "applicable where the disk names no threshold",
        unit=Unit.RATIO,
        healthy=1.0,
        grid=grids.TENTHS,
        unknown=_UNASKED,
    ),
    Signal(
        name="block.failing",
        kind=Kind.LEVEL,
        about="A SATA or SAS disk says of itself that it fails, or is about to.",
        subject=_SCSI,
        source="smart_status of smartctl, if the agent has it and the disk's device, once an hour; "
        "not applicable where the disk, as one that a hypervisor or a RAID adapter makes, says "
        "that it keeps no such account",
        unit=Unit.BOOLEAN,
        unknown=_UNASKED,
    ),
    Signal(
        name="block.unreadable_sectors",
        kind=Kind.LEVEL,
        about="Sectors that a SATA disk could not read, and that nobody wrote to since.",
        subject=_SCSI,
        source="attributes 197 and 198, whichever is more, likewise",
        unknown=_UNASKED,
    ),
    Signal(
        name="block.reallocated_sectors",
        kind=Kind.EVENT,
        about="A SATA or SAS disk gave a sector up, and put a spare one in its place.",
        subject=_SCSI,
        source="growth of attribute 5, or of the list of grown defects, likewise",
    ),
    Signal(
        name="block.uncorrected_errors",
        kind=Kind.EVENT,
        about="A SATA disk could not give back what was written to it.",
        subject=_SCSI,
        source="growth of attribute 187, likewise",
    ),
)
