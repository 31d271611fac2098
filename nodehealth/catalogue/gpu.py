"""Signals of NVIDIA GPUs: what NVML, the kernel's log and the PCI bus say of cards and driver.

A GPU is known by its UUID, which stays with the card wherever it is plugged in. Of an NVSwitch, and
of a GPU whose UUID nobody could read since the machine started, the PCI address stands for it.
"""

from typing import Final

from nodehealth.catalogue import gpu_events, gpu_heat, gpu_links, gpu_memory
from nodehealth.catalogue.gpu_words import GPU, UNASKED, flag
from nodehealth.signals import FieldType, Kind, Signal, Unit

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
    flag(
        "gpu.lost",
        "The machine cannot reach a GPU any more that it had in this boot.",
        "NVML returns 15 (GPU is lost), or has it no more; or the PCI device is gone, or its "
        "configuration space reads ff; `why` is nvml, pci or config",
        fields=("pci", "serial", "why"),
        urgent=True,
        unknown="The driver is not there or hangs, and the PCI bus does not tell.",
    ),
    flag(
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
        subject=GPU,
        source="three looks in a row, which `looks` counts, in which a call of every sweep, or the "
        "one that asks for the GPU, returned 8 (power), 11 (IRQ), 17 (operating system) or 999 "
        "(unknown); `code` is the last",
        unit=Unit.BOOLEAN,
        fields={"code": FieldType.INT, "looks": FieldType.INT},
        unknown=UNASKED,
    ),
    Signal(
        name="gpu.recovery_action",
        kind=Kind.LEVEL,
        about="What NVIDIA's driver says must be done with a GPU.",
        subject=GPU,
        source="field 230: 0 nothing, 1 reset it, 2 reboot the node, 3 drain its peer traffic, 4 "
        "drain and reset it, 5 recover the IMEX domain, 6 reset its bus, 7 reboot the system; not "
        "applicable with drivers before 565. A call that returns 16 (reset required) is 1 as well",
        fields={"action": FieldType.STRING},
        urgent=True,
        unknown=UNASKED,
    ),
    flag(
        "gpu.persistence_off",
        "Persistence mode is off: the driver forgets the GPU whenever nobody uses it.",
        "nvmlDeviceGetPersistenceMode",
    ),
    flag(
        "gpu.mig_pending",
        "A GPU is to change its MIG mode at its next reset.",
        "nvmlDeviceGetMigMode: current and pending differ",
    ),
    flag(
        "gpu.inforom_corrupt",
        "The InfoROM of a GPU, where it keeps its own history, is damaged.",
        "nvmlDeviceValidateInforom returns 14, or any other call does",
    ),
)

SIGNALS: Final = (
    *_DRIVER,
    *_CARD,
    *gpu_memory.SIGNALS,
    *gpu_heat.SIGNALS,
    *gpu_links.SIGNALS,
    *gpu_events.SIGNALS,
)
