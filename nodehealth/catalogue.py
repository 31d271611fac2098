"""The catalogue: every signal that an agent or the remediator states and a rule may ask for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nodehealth.keys import GPU_RESOURCES, GPUS_LABEL
from nodehealth.signals import Author, FieldType, Grid, Kind, Signal, Unit

_HALF_PERCENT: Final = Grid(step=0.005, hysteresis=0.0025)
_FIVE_PERCENT: Final = Grid(step=0.05, hysteresis=0.025)
"""For what goes up and down all day: each step is a write."""
_ONE_A_SECOND: Final = Grid(step=1, hysteresis=0.5)
_FIFTHS: Final = Grid(step=0.2, hysteresis=0.1)
_TENTH_OF_A_SECOND: Final = Grid(step=0.1, hysteresis=0.05)
_FIVE_SECONDS: Final = Grid(step=5, hysteresis=2.5)
_TEN_A_SECOND: Final = Grid(step=10, hysteresis=5)

_CONDITION: Final = {"status": FieldType.STRING, "reason": FieldType.STRING}

_SIGNALS: Final = (
    Signal(
        name="disk.free_ratio",
        kind=Kind.LEVEL,
        about="Share of a filesystem's space that an unprivileged process may still use.",
        subject="mount point",
        source="statvfs(3): f_bavail / (f_blocks - f_bfree + f_bavail)",
        unit=Unit.RATIO,
        healthy=1.0,
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
        healthy=1.0,
        grid=_HALF_PERCENT,
        fields={"device": FieldType.STRING, "fstype": FieldType.STRING},
        unknown="statvfs did not return in time: the mount hangs or is gone.",
    ),
    Signal(
        name="disk.read_only",
        kind=Kind.LEVEL,
        about="A filesystem that was writable takes no writes any more, as after an error.",
        subject="mount point",
        source="/proc/self/mountinfo: `ro`, `emergency_ro` or `shutdown` among the options of the "
        "superblock; not applicable until it was seen writable in this boot",
        unit=Unit.BOOLEAN,
        fields={"device": FieldType.STRING, "fstype": FieldType.STRING},
        urgent=True,
        unknown="Nothing is mounted where the agent's settings name a mount point.",
    ),
    Signal(
        name="disk.write_failed",
        kind=Kind.LEVEL,
        about="A filesystem did not take a small file, or gave it back changed.",
        subject="mount point",
        source="write, fsync(2), read and unlink of 4 KiB in a directory of it; a lack of rights "
        "or of space is none of its faults",
        unit=Unit.BOOLEAN,
        fields={"error": FieldType.STRING},
        urgent=True,
        unknown="The write hangs, or there was no room or no right to try it.",
    ),
    Signal(
        name="disk.write_hung",
        kind=Kind.LEVEL,
        about="A small write to a filesystem does not return: most disks that fail, fail so.",
        subject="mount point",
        source="write, fsync(2), read and unlink of 4 KiB that have taken longer than the agent's "
        "settings allow, 10 s if they say nothing; they hang since a little earlier than the level",
        unit=Unit.BOOLEAN,
        urgent=True,
        unknown="There was no room or no right to try it.",
    ),
    Signal(
        name="disk.write_seconds",
        kind=Kind.LEVEL,
        about="How long it takes until a small file is safe on a filesystem's disk.",
        subject="mount point",
        source="open, write and fsync(2) of 4 KiB; not applicable where that fails",
        unit=Unit.SECONDS,
        grid=_FIVE_SECONDS,
        unknown="The write hangs, or there was no room or no right to try it.",
    ),
    Signal(
        name="block.missing",
        kind=Kind.LEVEL,
        about="A disk that carried a filesystem of the host in this boot is gone.",
        subject="disk, such as nvme0n1",
        source="/sys/block: no such disk, and none of its serial number, or it has lost its size",
        unit=Unit.BOOLEAN,
        fields={"serial": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="block.io_errors",
        kind=Kind.EVENT,
        about="A SCSI disk ended a command with an error, be it one that it does not support.",
        subject="disk, such as sda",
        source="growth of /sys/block/*/device/ioerr_cnt",
    ),
    Signal(
        name="nvme.not_live",
        kind=Kind.LEVEL,
        about="An NVMe controller in this machine does not serve requests.",
        subject="controller, such as nvme0",
        source="/sys/class/nvme/*/state: anything but `live`, even a moment of `resetting`",
        unit=Unit.BOOLEAN,
        fields={"state": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="net.carrier_down",
        kind=Kind.LEVEL,
        about="A network interface has lost its link.",
        subject="interface",
        source="/sys/class/net/*/carrier; not applicable while an administrator has it down, and "
        "until it had a link in this boot",
        unit=Unit.BOOLEAN,
        unknown="There is no interface of a name that the agent's settings give.",
    ),
    Signal(
        name="net.flaps",
        kind=Kind.EVENT,
        about="A network interface lost its link or found it again: a short outage counts twice.",
        subject="interface",
        source="growth of /sys/class/net/*/carrier_changes",
    ),
    Signal(
        name="net.errors",
        kind=Kind.LEVEL,
        about="Packets a second that a network interface received or sent with errors.",
        subject="interface",
        source="growth of rx_errors + tx_errors in /sys/class/net/*/statistics between two looks",
        unit=Unit.PER_SECOND,
        grid=_ONE_A_SECOND,
    ),
    Signal(
        name="net.drops",
        kind=Kind.LEVEL,
        about="Packets a second that were dropped at a network interface; a few always are.",
        subject="interface",
        source="growth of rx_dropped + tx_dropped in /sys/class/net/*/statistics between two looks",
        unit=Unit.PER_SECOND,
        grid=_TEN_A_SECOND,
    ),
    Signal(
        name="net.default_route_missing",
        kind=Kind.LEVEL,
        about="The node has lost its default route, that of IPv4 and that of IPv6.",
        subject="",
        source="/proc/net/route and ipv6_route; not applicable until there was one in this boot",
        unit=Unit.BOOLEAN,
    ),
    Signal(
        name="net.missing",
        kind=Kind.LEVEL,
        about="A network interface that led the host out, or that is named, fell off its bus.",
        subject="interface",
        source="/sys/class/net: no such interface, and its device is gone or has lost its driver; "
        "not applicable while the device has one, as when a pod took the interface, and while the "
        "bond or the synthetic interface that it was a port of has a link without it",
        unit=Unit.BOOLEAN,
        fields={"device": FieldType.STRING, "master": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="net.gateway_unreachable",
        kind=Kind.LEVEL,
        about="The default gateway does not say its hardware address any more.",
        subject="IPv4 address of the gateway",
        source="/proc/net/arp, after the kernel was made to use the entry; not applicable where "
        "it keeps none, and until the gateway answered in this boot",
        unit=Unit.BOOLEAN,
    ),
    Signal(
        name="net.peer_loss_ratio",
        kind=Kind.LEVEL,
        about="Share of the last few tries in which a peer that the settings name did not answer.",
        subject="address and port of the peer",
        source="connect(2) over TCP, 5 times a look; to be refused is an answer",
        unit=Unit.RATIO,
        grid=_FIFTHS,
    ),
    Signal(
        name="net.peer_latency_seconds",
        kind=Kind.LEVEL,
        about="How long a peer takes to answer, as a rule.",
        subject="address and port of the peer",
        source="median time of connect(2) over TCP among the tries that were answered; not "
        "applicable where none was",
        unit=Unit.SECONDS,
        grid=_TENTH_OF_A_SECOND,
    ),
    Signal(
        name="runtime.kubelet_down",
        kind=Kind.LEVEL,
        about="The kubelet does not say that it is healthy.",
        subject="",
        source="its /healthz on the node's loopback, if the agent's settings ask for it; not "
        "applicable until it was healthy in this boot",
        unit=Unit.BOOLEAN,
        fields={"why": FieldType.STRING},
    ),
    Signal(
        name="runtime.containerd_down",
        kind=Kind.LEVEL,
        about="The container runtime does not answer on its socket.",
        subject="",
        source="an HTTP/2 ping over its UNIX socket, if the agent's settings ask for it; not "
        "applicable until it answered in this boot",
        unit=Unit.BOOLEAN,
        fields={"why": FieldType.STRING},
    ),
    Signal(
        name="memory.available_ratio",
        kind=Kind.LEVEL,
        about="Share of the node's memory that could be had without swapping.",
        subject="",
        source="/proc/meminfo: MemAvailable / MemTotal",
        unit=Unit.RATIO,
        healthy=1.0,
        grid=_FIVE_PERCENT,
    ),
    Signal(
        name="memory.oom_kills",
        kind=Kind.EVENT,
        about="The kernel killed a process for want of memory, be it only in its own container.",
        subject="",
        source="growth of oom_kill in /proc/vmstat",
    ),
    Signal(
        name="memory.pressure_full_avg60",
        kind=Kind.LEVEL,
        about="Share of the last minute in which every task that had work waited for memory.",
        subject="",
        source="/proc/pressure/memory: avg60 of `full`; not applicable where the kernel has no PSI",
        unit=Unit.RATIO,
        grid=_FIVE_PERCENT,
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
    Signal(
        name="node.ready",
        kind=Kind.LEVEL,
        about="The node is Ready. Status `Unknown` says that its kubelet is not heard of.",
        subject="",
        source="condition Ready of the Node: 1 for True, 0 for False and for Unknown",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields=_CONDITION,
        unknown="The Node has no condition Ready, or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="node.condition",
        kind=Kind.LEVEL,
        about="A condition of the Node is True, whoever wrote it; for Ready ask node.ready.",
        subject="type of the condition, such as MemoryPressure",
        source="the Node's conditions but nodemend's own: 1 for True, 0 for False",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields=_CONDITION,
        unknown="The condition's own status is Unknown, as all those of the kubelet are while it "
        "is not heard of, or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="node.gpu_allocatable",
        kind=Kind.LEVEL,
        about="How many GPUs the node has to give; a device plugin takes back those that are sick.",
        subject="",
        source=f"allocatable {' + '.join(GPU_RESOURCES)} of the Node; expected is the label "
        f"{GPUS_LABEL}, else the capacity; not applicable where none is expected",
        author=Author.REMEDIATOR,
        fields={"capacity": FieldType.INT, "expected": FieldType.INT},
        unknown="Without the label: the device plugin was gone for five minutes, and the capacity "
        "with it. Or the remediator's watch of Nodes is behind.",
    ),
    Signal(
        name="agent.silent",
        kind=Kind.LEVEL,
        about="The node is Ready, but its agent has let three of its refreshes pass unwritten.",
        subject="",
        source="times of the NodeHealth's writes and of the agent's pod, by the API server's "
        "clock; `pod` is Ready, NotReady or Absent; not applicable where no agent ever was",
        author=Author.REMEDIATOR,
        unit=Unit.BOOLEAN,
        fields={"pod": FieldType.STRING},
        unknown="The node itself is not Ready, its agent has just begun, or one of the "
        "remediator's watches is behind.",
    ),
)

CATALOGUE: Final[Mapping[str, Signal]] = MappingProxyType({each.name: each for each in _SIGNALS})
