"""Signals of NVIDIA GPUs: what NVML, the kernel's log and the PCI bus say of cards and driver.

A GPU is known by its UUID, which stays with the card wherever it is plugged in. Of an NVSwitch, and
of a GPU whose UUID nobody could read since the machine started, the PCI address stands for it.
"""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import FieldType, Kind, Signal, Unit

_GPU: Final = "GPU UUID"
_UNASKED: Final = (
    "The GPU hangs or rests after an XID, the driver is not there or hangs, or NVML was given back "
    "for a GPU reset."
)
_PCI: Final = {"pci": FieldType.STRING}


def _flag(
    name: str,
    about: str,
    source: str,
    *,
    fields: tuple[str, ...] = (),
    urgent: bool = False,
    unknown: str = _UNASKED,
) -> Signal:
    """Return a level of a GPU that is 1 where something is wrong with it."""
    return Signal(
        name=name,
        kind=Kind.LEVEL,
        about=about,
        subject=_GPU,
        source=source,
        unit=Unit.BOOLEAN,
        fields=dict.fromkeys(fields, FieldType.STRING),
        urgent=urgent,
        unknown=unknown,
    )


_DRIVER: Final = (
    Signal(
        name="gpu.count",
        kind=Kind.LEVEL,
        about="How many of the machine's NVIDIA GPUs the driver has and can speak to.",
        subject="",
        source="nvmlDeviceGetCount_v2 and a call to each; `pci` counts the GPUs on the PCI bus "
        "(vendor 10de, class 0300 or 0302, not bound to vfio-pci), `expected` is what the agent's "
        "settings say, else the most that were on the bus in this boot; not applicable where there "
        "never was one",
        fields={"pci": FieldType.INT, "expected": FieldType.INT},
        urgent=True,
        unknown="The driver is not there or hangs, or NVML was given back for a GPU reset.",
    ),
    Signal(
        name="gpu.driver_hung",
        kind=Kind.LEVEL,
        about="A call into the NVIDIA driver does not return, and sleeps where nothing can end it.",
        subject="",
        source="a call of the agent's NVML worker that has taken 30 s, while its thread is in "
        "state D in /proc/*/task/*/stat; no call to any GPU returns",
        unit=Unit.BOOLEAN,
        fields={"call": FieldType.STRING, "wchan": FieldType.STRING},
        urgent=True,
        unknown="A call does not return, but its thread does not sleep in the kernel either: the "
        "machine may be starved of time.",
    ),
    Signal(
        name="gpu.driver_failed",
        kind=Kind.LEVEL,
        about="NVML cannot be used although the machine has NVIDIA GPUs.",
        subject="",
        source="nvmlInit_v2: `code` is what it returned, 9 the driver is not loaded, 12 there is "
        "no NVML, 18 NVML and kernel module are of different versions; not applicable where there "
        "is no GPU or no driver ever was in this boot, and while a driver is being rolled out",
        unit=Unit.BOOLEAN,
        fields={"code": FieldType.INT, "error": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="gpu.fabric_manager_down",
        kind=Kind.LEVEL,
        about="The machine has NVSwitches, but the fabric manager that sets them up is gone.",
        subject="",
        source="no process nv-fabricmanager in /proc while class 0680 of vendor 10de is on the PCI "
        "bus; not applicable until one ran in this boot",
        unit=Unit.BOOLEAN,
        urgent=True,
    ),
    Signal(
        name="gpu.vbios_differs",
        kind=Kind.LEVEL,
        about="GPUs of one model have different VBIOS versions.",
        subject="",
        source="nvmlDeviceGetVbiosVersion of each GPU; `versions` are those that there are",
        unit=Unit.BOOLEAN,
        fields={"versions": FieldType.STRING},
    ),
    Signal(
        name="gpu.stuck_processes",
        kind=Kind.LEVEL,
        about="How many processes that use a GPU sleep where nothing can end them, for minutes.",
        subject="",
        source="/proc/*/stat: state D in five looks in a row, 4 min apart at least, with "
        "/dev/nvidia* among /proc/*/fd or a name that begins with `nvidia`",
        fields={"pids": FieldType.STRING},
    ),
)

_CARD: Final = (
    _flag(
        "gpu.lost",
        "The machine cannot reach a GPU any more that it had in this boot.",
        "NVML returns 15 (GPU is lost), or has it no more; or the PCI device is gone, or its "
        "configuration space reads ff; `why` is nvml, pci or config",
        fields=("pci", "serial", "why"),
        urgent=True,
        unknown="The driver is not there or hangs, and the PCI bus does not tell.",
    ),
    _flag(
        "gpu.hung",
        "A call to one GPU does not return, and sleeps where nothing can end it; others do.",
        "as gpu.driver_hung, of this GPU only; it is not asked again before that call returned",
        fields=("call", "wchan"),
        urgent=True,
        unknown="A call does not return, but its thread does not sleep in the kernel either.",
    ),
    Signal(
        name="gpu.failing",
        kind=Kind.LEVEL,
        about="NVML answers for a GPU with errors that are neither loss nor lack of a feature.",
        subject=_GPU,
        source="three sweeps in a row in which a call to it returned such as 8 (power), 11 (IRQ), "
        "17 (operating system) or 999 (unknown); `code` is the last",
        unit=Unit.BOOLEAN,
        fields={"code": FieldType.INT},
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.recovery_action",
        kind=Kind.LEVEL,
        about="What NVIDIA's driver says must be done with a GPU.",
        subject=_GPU,
        source="field 230: 0 nothing, 1 reset it, 2 reboot the node, 3 drain its peer traffic, 4 "
        "drain and reset it, 5 recover the IMEX domain, 6 reset its bus, 7 reboot the system; not "
        "applicable with drivers before 565. A call that returns 16 (reset required) is 1 as well",
        fields={"action": FieldType.STRING},
        urgent=True,
        unknown=_UNASKED,
    ),
    _flag(
        "gpu.persistence_off",
        "Persistence mode is off: the driver forgets the GPU whenever nobody uses it.",
        "nvmlDeviceGetPersistenceMode",
    ),
    _flag(
        "gpu.mig_pending",
        "A GPU is to change its MIG mode at its next reset.",
        "nvmlDeviceGetMigMode: current and pending differ",
    ),
    _flag(
        "gpu.inforom_corrupt",
        "The InfoROM of a GPU, where it keeps its own history, is damaged.",
        "nvmlDeviceValidateInforom returns 14, or any other call does",
    ),
)

_MEMORY: Final = (
    Signal(
        name="gpu.ecc_uncorrected",
        kind=Kind.LEVEL,
        about="Memory errors of a GPU that were found and not corrected since its driver loaded.",
        subject=_GPU,
        source="field 4 (volatile double bit errors, all memories)",
        urgent=True,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.ecc_uncorrected_ever",
        kind=Kind.LEVEL,
        about="Memory errors of a GPU that were found and not corrected in its whole life.",
        subject=_GPU,
        source="field 6 (aggregate double bit errors, all memories)",
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.ecc_corrected",
        kind=Kind.LEVEL,
        about="Memory errors a second that a GPU corrects.",
        subject=_GPU,
        source="growth of field 3 (volatile single bit errors, all memories) between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.TEN_A_SECOND,
        unknown=_UNASKED,
    ),
    _flag(
        "gpu.ecc_off",
        "A GPU that can check its memory does not.",
        "nvmlDeviceGetEccMode: current is off",
    ),
    _flag(
        "gpu.sram_threshold_exceeded",
        "So many uncorrected errors in the SRAM of a GPU that NVIDIA wants it exchanged.",
        "nvmlDeviceGetSramEccErrorStatus: bThresholdExceeded",
        urgent=True,
    ),
    _flag(
        "gpu.remap_pending",
        "A GPU has replaced bad rows of its memory, which takes effect at its next reset.",
        "nvmlDeviceGetRemappedRows, or fields 144",
    ),
    _flag(
        "gpu.remap_failed",
        "A GPU could not replace a bad row of its memory: no spare rows are left for it.",
        "nvmlDeviceGetRemappedRows, or field 145",
        urgent=True,
    ),
    Signal(
        name="gpu.remapped_rows",
        kind=Kind.LEVEL,
        about="Rows of a GPU's memory that were replaced after uncorrected errors.",
        subject=_GPU,
        source="nvmlDeviceGetRemappedRows, or field 143",
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.remap_banks_exhausted",
        kind=Kind.LEVEL,
        about="Banks of a GPU's memory that have no spare row left.",
        subject=_GPU,
        source="nvmlDeviceGetRowRemapperHistogram: none",
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.retired_pages",
        kind=Kind.LEVEL,
        about="Pages of an older GPU's memory that were given up.",
        subject=_GPU,
        source="fields 29 + 30; not applicable to GPUs that replace rows, Ampere and newer",
        unknown=_UNASKED,
    ),
    _flag(
        "gpu.retirement_pending",
        "An older GPU gives up a page of its memory at its next reset.",
        "field 31; not applicable to GPUs that replace rows, Ampere and newer",
    ),
    _flag(
        "gpu.memory_unrepairable",
        "NVIDIA's driver holds the memory of a GPU for damaged beyond repair.",
        "nvmlDeviceGetUnrepairableMemoryFlag_v1",
        urgent=True,
    ),
    _flag(
        "gpu.repair_pending",
        "A GPU repairs a channel or a TPC at its next reset.",
        "nvmlDeviceGetRepairStatus",
    ),
)

_HEAT: Final = (
    Signal(
        name="gpu.hw_slowdown_ratio",
        kind=Kind.LEVEL,
        about="Share of the time in which a GPU's hardware slowed it down, for heat or power.",
        subject=_GPU,
        source="growth of fields 270 (hardware thermal slowdown) and 271 (power brake), "
        "nanoseconds each, between two looks; where there are none, whether bits 0x8, 0x40 or 0x80 "
        "of nvmlDeviceGetCurrentClocksEventReasons are set; `reason` is thermal, power-brake, both "
        "or hardware",
        unit=Unit.RATIO,
        grid=grids.FIFTHS,
        fields={"reason": FieldType.STRING},
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.sw_thermal_slowdown_ratio",
        kind=Kind.LEVEL,
        about="Share of the time in which the driver slowed a GPU down for its heat.",
        subject=_GPU,
        source="growth of field 269, nanoseconds, between two looks; where there is none, bit 0x20 "
        "of nvmlDeviceGetCurrentClocksEventReasons",
        unit=Unit.RATIO,
        grid=grids.FIFTHS,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.thermal_margin",
        kind=Kind.LEVEL,
        about="How many degrees a GPU may still warm before it slows itself down; at most 20.",
        subject=_GPU,
        source="the card's own slowdown threshold less its temperature: "
        "nvmlDeviceGetTemperatureThreshold and nvmlDeviceGetTemperatureV, or "
        "nvmlDeviceGetMarginTemperature where the card has that instead",
        unit=Unit.CELSIUS,
        healthy=20.0,
        grid=grids.FIVE_DEGREES,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.memory_thermal_margin",
        kind=Kind.LEVEL,
        about="How many degrees the memory of a GPU may still warm before its limit; at most 20.",
        subject=_GPU,
        source="nvmlDeviceGetTemperatureThreshold (memory maximum) less field 82",
        unit=Unit.CELSIUS,
        healthy=20.0,
        grid=grids.FIVE_DEGREES,
        unknown=_UNASKED,
    ),
    _flag(
        "gpu.power_unreadable",
        "A GPU that told its power does not tell it any more, though it answers.",
        "nvmlDeviceGetPowerUsage fails while other calls do not",
    ),
)

_LINKS: Final = (
    Signal(
        name="gpu.pcie_lanes",
        kind=Kind.LEVEL,
        about="How many PCIe lanes a GPU is connected by.",
        subject=_GPU,
        source="nvmlDeviceGetCurrPcieLinkWidth, or current_link_width in sysfs; `expected` is the "
        "most in this boot, and what both ends are made for",
        fields={"expected": FieldType.INT},
        unknown=_UNASKED,
    ),
    _flag(
        "gpu.pcie_slow",
        "A GPU at work is connected by a slower PCIe generation than both ends are made for.",
        "nvmlDeviceGetCurrPcieLinkGeneration below nvmlDeviceGetMaxPcieLinkGeneration while its "
        "performance state is P0; what was seen then stands while it rests",
        fields=("generation", "expected"),
    ),
    Signal(
        name="gpu.pcie_replays",
        kind=Kind.LEVEL,
        about="PCIe packets a second that had to be sent to or by a GPU again.",
        subject=_GPU,
        source="growth of field 94, or nvmlDeviceGetPcieReplayCounter, between two looks",
        unit=Unit.PER_SECOND,
        grid=grids.QUARTER_A_SECOND,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.nvlinks_down",
        kind=Kind.LEVEL,
        about="NVLinks of a GPU that are not active.",
        subject=_GPU,
        source="nvmlDeviceGetNvLinkState of each of the `links` that field 91 counts; `down` names "
        "those that are not; not applicable in MIG mode, without NVLink, and until one was active "
        "in this boot",
        fields={"links": FieldType.INT, "down": FieldType.STRING},
        urgent=True,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.nvlink_peers_missing",
        kind=Kind.LEVEL,
        about="Active NVLinks of a GPU that lead to something else than before in this boot.",
        subject=_GPU,
        source="nvmlDeviceGetNvLinkRemotePciInfo_v2 of each link; not applicable likewise",
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.nvlink_crc_errors",
        kind=Kind.LEVEL,
        about="Damaged packets a second on the NVLinks of a GPU.",
        subject=_GPU,
        source="growth of fields 38 + 45, or 163 of each link, between two looks; not applicable "
        "to NVLink 5",
        unit=Unit.PER_SECOND,
        grid=grids.TEN_A_SECOND,
        unknown=_UNASKED,
    ),
    Signal(
        name="gpu.nvlink_recoveries",
        kind=Kind.EVENT,
        about="An NVLink of a GPU had to send again or to be trained again.",
        subject=_GPU,
        source="growth of fields 52 + 59, or 161 + 162 of each link; of NVLink 5, of 215",
    ),
    Signal(
        name="gpu.nvlink_errors",
        kind=Kind.EVENT,
        about="An NVLink 5 of a GPU lost or damaged packets.",
        subject=_GPU,
        source="growth of fields 206 to 212, 214 and 219 of each link",
    ),
    _flag(
        "gpu.fabric_unhealthy",
        "A GPU is not, or not wholly, part of its NVLink fabric.",
        "nvmlDeviceGetGpuFabricInfoV: the state is not completed, the status not success, or a "
        "part of the health mask is bad; `why` says which; not applicable without a fabric",
        fields=("why",),
        urgent=True,
    ),
)

_EVENTS: Final = (
    Signal(
        name="gpu.xid",
        kind=Kind.EVENT,
        about="The NVIDIA driver reported an XID error.",
        subject="GPU UUID, or its PCI address where the UUID is not known",
        source="NVML event or kernel log line `NVRM: Xid`, counted once. Only of NVLink 5 errors "
        "(codes 144 to 150): `severity` (Fatal or Nonfatal), `unit`, `link`, and `action`, "
        "NVIDIA's own bucket by subcode and error status",
        fields={
            "code": FieldType.INT,
            "pci": FieldType.STRING,
            "severity": FieldType.STRING,
            "unit": FieldType.STRING,
            "link": FieldType.INT,
            "action": FieldType.STRING,
        },
        urgent=True,
    ),
    Signal(
        name="gpu.sxid",
        kind=Kind.EVENT,
        about="The NVIDIA driver reported an error of an NVSwitch.",
        subject="PCI address of the NVSwitch",
        source="kernel log line `nvidia-nvswitch…: SXid`; `fatal` is 1 where the line says so",
        fields={"code": FieldType.INT, "fatal": FieldType.INT, "link": FieldType.INT},
        urgent=True,
    ),
    Signal(
        name="gpu.off_bus",
        kind=Kind.EVENT,
        about="The kernel log says that a GPU has fallen off the bus.",
        subject="GPU UUID, or its PCI address where the UUID is not known",
        source="kernel log lines `NVRM: … GPU has fallen off the bus`, other than those of XID 79",
        fields=_PCI,
        urgent=True,
    ),
    Signal(
        name="gpu.gsp_timeout",
        kind=Kind.EVENT,
        about="The firmware of a GPU did not answer its driver in time.",
        subject="GPU UUID or PCI address, or nothing where the line names neither",
        source="kernel log lines of the GSP's heartbeat or an RPC, other than XID 119 and 120",
        urgent=True,
    ),
    Signal(
        name="gpu.reset",
        kind=Kind.EVENT,
        about="A GPU was reset or initialised anew: what it reported before is made good.",
        subject=_GPU,
        source="a reset of our own that was verified; field 230 that went back from reset to "
        "nothing; the driver that was unloaded and loaded anew",
    ),
    Signal(
        name="gpu.jobs_failed",
        kind=Kind.EVENT,
        about="A job had a first error of its own on a GPU, as bad programs have, or bad GPUs.",
        subject="GPU UUID, or its PCI address where the UUID is not known",
        source="kernel log lines of XIDs that applications cause (13, 31, 43, 45 and such), once "
        "for each pod, or for each process where the pod is not known",
        fields=_PCI,
    ),
)

SIGNALS: Final = (*_DRIVER, *_CARD, *_MEMORY, *_HEAT, *_LINKS, *_EVENTS)
