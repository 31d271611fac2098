"""What happens to GPUs, as NVML and the kernel's log tell it."""

from typing import Final

from nodehealth.signals import FieldType, Kind, Signal

_PCI: Final = {"pci": FieldType.STRING}

SIGNALS: Final = (
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
        subject="GPU UUID",
        source="a reset of our own that was verified, as /run/nodemend/gpu-resets says; field 230 "
        "that went back from reset to nothing; the driver that was unloaded and loaded anew, seen "
        "by an agent that looks every 30 s",
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
