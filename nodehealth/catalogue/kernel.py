"""What the kernel says in its log of the machine: disks, itself, processors, memory, networks.

Of each signal a dozen names that come from the log, of devices or programs, are told apart in one
boot; all further ones are called `others`. What was counted once is not counted again when the
agent reads the log anew.
"""

from typing import Final

from nodehealth.signals import FieldType, Kind, Signal

_KIND: Final = {"kind": FieldType.STRING}

_STORAGE: Final = (
    Signal(
        name="disk.filesystem_errors",
        kind=Kind.EVENT,
        about="The kernel found a filesystem damaged, or ended its work on it.",
        subject="device, as the kernel has it, such as dm-0 or nvme0n1p1",
        source="kernel log lines of ext4, xfs, btrfs and f2fs; `kind` is error, corruption, "
        "shutdown, read-only, journal (of ext4, given up) or stopped (f2fs writes no checkpoint "
        "any more); `mount` is where the host has it, empty for the volumes of pods",
        fields={**_KIND, "fstype": FieldType.STRING, "mount": FieldType.STRING},
        urgent=True,
    ),
    Signal(
        name="disk.io_errors_logged",
        kind=Kind.EVENT,
        about="A disk did not do what a request asked, as the block layer says.",
        subject="disk or partition, such as nvme0n1",
        source="kernel log lines `I/O error, dev …` and `Buffer I/O error`; `kind` is io, medium, "
        "target, nexus, space, protection, timeout, reservation or buffer; the kernel writes only "
        "some of a storm",
        fields=_KIND,
    ),
    Signal(
        name="nvme.errors_logged",
        kind=Kind.EVENT,
        about="An NVMe controller did not answer in time, or was given up.",
        subject="controller, such as nvme0",
        source="kernel log lines of the nvme driver; `kind` is polled (it had answered, only its "
        "interrupt was lost), aborted, reset, disabled, down (its registers read ff) or dead",
        fields=_KIND,
    ),
    Signal(
        name="md.disk_failures",
        kind=Kind.EVENT,
        about="A software RAID threw out a disk that failed.",
        subject="array, such as md0",
        source="kernel log line `md/raid…: Disk failure on`",
        fields={"disk": FieldType.STRING},
    ),
    Signal(
        name="nfs.not_responding",
        kind=Kind.LEVEL,
        about="How many NFS servers do not answer: whatever touches their mounts hangs.",
        subject="",
        source="kernel log lines `nfs: server … not responding, still trying` and `… OK`, the last "
        "one of each server; not applicable until there was one in this boot",
        fields={"servers": FieldType.STRING},
        unknown="The log cannot be read, or lines of it were lost after a server fell silent.",
    ),
    Signal(
        name="nfs.timeouts",
        kind=Kind.EVENT,
        about="A request to an NFS server was given up, as soft mounts do: programs got errors.",
        subject="server",
        source="kernel log line `nfs: server … not responding, timed out`",
    ),
)

_KERNEL: Final = (
    Signal(
        name="kernel.hung_tasks",
        kind=Kind.EVENT,
        about="A task has waited in the kernel for minutes, where nothing can end it.",
        subject="",
        source="kernel log lines `INFO: task … blocked for more than`, of which the kernel writes "
        "ten in a boot unless it is told otherwise; `comm` is the task's name without what follows "
        "a slash or a colon; `own` is 1 while the task is there and in no pod; `nfs` is 1 while an "
        "NFS server was known not to answer",
        fields={"comm": FieldType.STRING, "own": FieldType.INT, "nfs": FieldType.INT},
    ),
    Signal(
        name="kernel.lockups",
        kind=Kind.EVENT,
        about="A processor did nothing for others for a long time.",
        subject="",
        source="kernel log lines of its watchdogs; `kind` is soft (no task had a turn), hard (no "
        "interrupt had) or rcu (a grace period did not end)",
        fields=_KIND,
        urgent=True,
    ),
    Signal(
        name="kernel.errors",
        kind=Kind.EVENT,
        about="The kernel made a mistake of its own, and may go on in a bad state.",
        subject="",
        source="kernel log lines; `kind` is fault, oops, bug or panic; one mistake often makes two",
        fields=_KIND,
        urgent=True,
    ),
    Signal(
        name="kernel.lines_suppressed",
        kind=Kind.EVENT,
        about="Lines came so often that the agent counted them but did not tell each by itself: "
        "of those of one second that say the same, only their number and the last one's time.",
        subject="pattern, by its name",
        source="the agent itself: of each pattern 1000 lines are told one by one, and one more "
        "each second",
    ),
    Signal(
        name="kernel.hardware_errors",
        kind=Kind.EVENT,
        about="Processor, memory or firmware reported an error of the hardware.",
        subject="memory controller, such as MC0, of `edac`; else nothing",
        source="kernel log lines; `kind` is ghes (firmware; right after a start also what it kept "
        "from before, in BERT), mce or edac; `severity` is corrected, recoverable, uncorrected, "
        "fatal, info or, of an mce, unsaid; one error may be told in several ways",
        fields={**_KIND, "severity": FieldType.STRING},
    ),
    Signal(
        name="kernel.pcie_errors",
        kind=Kind.EVENT,
        about="A device on the PCIe bus had an error (AER).",
        subject="PCI address",
        source="kernel log line `PCIe Bus Error`; `severity` is corrected, nonfatal or fatal",
        fields={"severity": FieldType.STRING},
    ),
    Signal(
        name="kernel.pcie_unplugged",
        kind=Kind.EVENT,
        about="A device went from a PCIe slot, or its link did; cloud volumes do when detached.",
        subject="slot",
        source="kernel log lines of pciehp; `kind` is link-down or card-gone",
        fields=_KIND,
    ),
    Signal(
        name="memory.oom_kills_logged",
        kind=Kind.EVENT,
        about="The kernel killed a process for want of memory, and said in which scope.",
        subject="",
        source="kernel log lines `Killed process`; `scope` is system (the whole node ran out) or "
        "cgroup (a container met its own limit); `comm`, of system only, is who was killed",
        fields={"scope": FieldType.STRING, "comm": FieldType.STRING},
    ),
)

_NETWORK: Final = (
    Signal(
        name="net.driver_errors",
        kind=Kind.EVENT,
        about="The driver of a network adapter says that it is not well.",
        subject="PCI address of an adapter of mlx5_core or ena; interface of others",
        source="kernel log lines; `kind` is health (its firmware is gone or broken), "
        "command-timeout, power (its slot gives too little), hot (a module), transmit-timeout or "
        "reset (the driver began the adapter anew, unasked)",
        fields=_KIND,
    ),
    Signal(
        name="net.table_overflows",
        kind=Kind.EVENT,
        about="A table of the kernel is full: it drops packets.",
        subject="",
        source="kernel log lines, of which it writes only some; `kind` is conntrack, arp or ndisc",
        fields=_KIND,
    ),
    Signal(
        name="net.interface_stuck",
        kind=Kind.EVENT,
        about="A network interface cannot be removed, for something still uses it: a leak.",
        subject="",
        source="kernel log line `unregister_netdevice: waiting for`, every ten seconds while so",
    ),
    Signal(
        name="gpu.peermem_errors",
        kind=Kind.EVENT,
        about="RDMA into GPU memory lost its context, as when a job ends in the middle of it.",
        subject="",
        source="kernel log line of nvidia-peermem `ERROR detected invalid context`",
    ),
    Signal(
        name="gpu.nccl_crashes",
        kind=Kind.EVENT,
        about="A program crashed within NCCL, most often for a mistake of its own.",
        subject="",
        source="kernel log line `segfault at … in libnccl.so`",
    ),
)

SIGNALS: Final = (*_STORAGE, *_KERNEL, *_NETWORK)
