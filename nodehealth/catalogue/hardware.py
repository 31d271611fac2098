"""Signals of the machine's memory modules and processors."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

SIGNALS: Final = (
    Signal(
        name="memory.ecc_uncorrected",
        kind=Kind.LEVEL,
        about="Errors of the node's memory that could not be corrected in this boot.",
        subject="",
        source="/sys/devices/system/edac/mc: ue_count of all controllers; `modules` names up to "
        "three that had any; not applicable where no driver watches memory, as in most clouds",
        fields={"modules": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="memory.ecc_corrected",
        kind=Kind.EVENT,
        about="A memory module had an error that was corrected; a few are nothing.",
        subject="module, such as mc0/dimm3, or its controller where it does not say which",
        source="growth of dimm_ce_count or rank_ce_count, and of what ce_count has beyond them; "
        "`label` is the firmware's name of it",
        fields={"label": FieldType.STRING},
    ),
    Signal(
        name="cpu.machine_checks",
        kind=Kind.EVENT,
        about="A processor raised a machine check and lived: hardware failed under a program.",
        subject="",
        source="growth of the row MCE in /proc/interrupts, once for each processor that took it; "
        "not those that were only logged",
    ),
    Signal(
        name="cpu.throttled_ratio",
        kind=Kind.LEVEL,
        about="Share of the time in which heat slowed a package of processors down.",
        subject="number of the package",
        source="growth of thermal_throttle/package_throttle_total_time_ms between two looks; Intel "
        "with Linux 5.5 and newer, and only where the firmware leaves it to the kernel",
        unit=Unit.RATIO,
        grid=grids.FIFTHS,
    ),
    Signal(
        name="cpu.offline",
        kind=Kind.LEVEL,
        about="Processors of the machine that do not work.",
        subject="",
        source="/sys/devices/system/cpu: present but not online; where hyper-threading is off or "
        "the kernel was told to take fewer, those that were online at most in this boot; `most` is "
        "how many there are to be",
        fields={"most": FieldType.INT},
    ),
)
