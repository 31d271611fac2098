"""What each sample of the agent's own patterns tells, and lines that only look like one."""

from collections.abc import Mapping, Sequence
from typing import Final

import yaml

from agent.host import complaints
from agent.host.complaints.pattern import Complaint


def told(
    signal: str, subject: str = "", count: int = 1, pid: int | None = None, **fields: str
) -> Complaint:
    return Complaint(signal=signal, subject=subject, fields=fields, count=count, pid=pid)


def filesystem(subject: str, fstype: str, kind: str) -> Complaint:
    return told("disk.filesystem_errors", subject, fstype=fstype, kind=kind)


def samples(topic: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the samples that lie beside each pattern of a table."""
    written = yaml.safe_load((complaints.TABLES / f"{topic}.yaml").read_text())
    return {each["name"]: each for each in written["spec"]["patterns"]}


IO, NVME, NFS = "disk.io_errors_logged", "nvme.errors_logged", "nfs.not_responding"
LOCKUP, ERROR, OOM = "kernel.lockups", "kernel.errors", "memory.oom_kills_logged"
HARDWARE, PCIE, DRIVER = "kernel.hardware_errors", "kernel.pcie_errors", "net.driver_errors"
UNPLUGGED, FULL, NIC = "kernel.pcie_unplugged", "net.table_overflows", "0000:5c:00.0"
HUNG = "kernel.hung_tasks"

MEANT: Final[Mapping[str, Sequence[Complaint]]] = {
    "ext4-error": [
        filesystem("sdb2", "ext4", "error"),
    ],
    "remounted-read-only": [
        filesystem("nvme3n1p1", "ext4", "read-only"),
        filesystem("sdc1", "f2fs", "read-only"),
    ],
    "journal-aborted": [
        filesystem("sdc1", "ext4", "journal"),
        filesystem("dm-3", "ext4", "journal"),
        filesystem("nvme1n1p2", "ext4", "journal"),
    ],
    "f2fs-corruption": [
        filesystem("sdc1", "f2fs", "corruption"),
        filesystem("dm-64", "f2fs", "corruption"),
        filesystem("sdc1", "f2fs", "corruption"),
    ],
    "f2fs-stopped": [filesystem("sdc1", "f2fs", "stopped")],
    "btrfs-read-only": [
        filesystem("sdd", "btrfs", "read-only"),
    ],
    "btrfs-stopped": [filesystem("sdd", "btrfs", "read-only")],
    "btrfs-error": [
        filesystem("sdd", "btrfs", "error"),
    ],
    "btrfs-corruption": [
        filesystem("sde", "btrfs", "corruption"),
    ],
    "btrfs-disk-errors": [filesystem("dm-3", "btrfs", "corruption")],
    "xfs-shutdown": [
        filesystem("dm-1", "xfs", "shutdown"),
        filesystem("dm-1", "xfs", "shutdown"),
        filesystem("nvme0n1p3", "xfs", "shutdown"),
        filesystem("nvme0n1p3", "xfs", "shutdown"),
    ],
    "xfs-corruption": [
        filesystem("sda4", "xfs", "corruption"),
        filesystem("sda4", "xfs", "corruption"),
    ],
    "xfs-error": [
        filesystem("sda4", "xfs", "error"),
        filesystem("sda4", "xfs", "error"),
    ],
    "block-error": [
        told(IO, "sdf", kind="io"),
        told(IO, "sdf", kind="io"),
        told(IO, "nvme2n1", kind="io"),
        told(IO, "sdg", kind="medium"),
        told(IO, "nvme1n1", kind="target"),
        told(IO, "sdh", kind="space"),
        told(IO, "nvme1n1", kind="protection"),
        told(IO, "vdb", kind="timeout"),
    ],
    "buffer-error": [
        told(IO, "dm-2", kind="buffer"),
        told(IO, "sdb1", kind="buffer"),
    ],
    "nvme-timeout": [
        told(NVME, "nvme4", kind="aborted"),
        told(NVME, "nvme4", kind="aborted"),
        told(NVME, "nvme4", kind="reset"),
        told(NVME, "nvme4", kind="disabled"),
        told(NVME, "nvme4", kind="polled"),
    ],
    "nvme-down": [
        told(NVME, "nvme5", kind="down"),
    ],
    "nvme-dead": [
        told(NVME, "nvme5", kind="dead"),
        told(NVME, "nvme5", kind="dead"),
        told(NVME, "nvme5", kind="dead"),
        told(NVME, "nvme5", kind="dead"),
    ],
    "md-disk-failure": [
        told("md.disk_failures", "md127", disk="nvme7n1"),
    ],
    "nfs-silent": [
        told(NFS, "filer-3.example", state="down"),
    ],
    "nfs-answers": [
        told(NFS, "filer-3.example", state="up"),
    ],
    "nfs-timeout": [
        told("nfs.timeouts", "fd00::5"),
    ],
    "hung-task": [
        told(HUNG, pid=40211, comm="rsync"),
        told(HUNG, pid=88, comm="tokio-runtime-w"),
        told(HUNG, pid=71, comm="kworker/3:1"),
        told(HUNG, pid=350, comm="jbd2/dm-0-8"),
    ],
    "soft-lockup": [
        told(LOCKUP, kind="soft"),
        told(LOCKUP, kind="soft"),
    ],
    "hard-lockup": [
        told(LOCKUP, kind="hard"),
        told(LOCKUP, kind="hard"),
    ],
    "rcu-stall": [
        told(LOCKUP, kind="rcu"),
        told(LOCKUP, kind="rcu"),
        told(LOCKUP, kind="rcu"),
        told(LOCKUP, kind="rcu"),
    ],
    "kernel-fault": [
        told(ERROR, kind="fault"),
        told(ERROR, kind="fault"),
        told(ERROR, kind="fault"),
        told(ERROR, kind="fault"),
    ],
    "kernel-oops": [
        told(ERROR, kind="oops"),
        told(ERROR, kind="oops"),
        told(ERROR, kind="oops"),
    ],
    "kernel-bug": [
        told(ERROR, kind="bug"),
    ],
    "kernel-panic": [
        told(ERROR, kind="panic"),
    ],
    "oom-kill": [
        told(OOM, scope="system", comm="train.py"),
        told(OOM, scope="system", comm="a"),
        told(OOM, scope="system", comm="x y"),
    ],
    "cgroup-oom-kill": [
        told(OOM, scope="cgroup"),
        told(OOM, scope="cgroup"),
    ],
    "ghes": [
        told(HARDWARE, kind="ghes", severity="fatal"),
        told(HARDWARE, kind="ghes", severity="recoverable"),
        told(HARDWARE, kind="ghes", severity="corrected"),
    ],
    "mce": [
        told(HARDWARE, kind="mce", severity="corrected"),
        told(HARDWARE, kind="mce", severity="uncorrected"),
    ],
    "mce-logged": [
        told(HARDWARE, kind="mce", severity="unsaid"),
    ],
    "edac": [
        told(HARDWARE, "MC2", count=14, kind="edac", severity="corrected"),
        told(HARDWARE, "MC11", kind="edac", severity="uncorrected"),
    ],
    "pcie-error": [
        told(PCIE, "0000:16:01.0", severity="corrected"),
        told(PCIE, "0000:17:00.0", severity="corrected"),
        told(PCIE, "0000:86:00.1", severity="nonfatal"),
        told(PCIE, "10000:e1:00.0", severity="fatal"),
    ],
    "pcie-unplugged": [
        told(UNPLUGGED, "8-1", kind="link-down"),
        told(UNPLUGGED, "0", kind="card-gone"),
    ],
    "mlx5-health": 5 * [told(DRIVER, NIC, kind="health")],
    "mlx5-command-timeout": [
        told(DRIVER, NIC, kind="command-timeout"),
    ],
    "mlx5-power": [
        told(DRIVER, NIC, kind="power"),
    ],
    "mlx5-hot": [
        told(DRIVER, NIC, kind="hot"),
    ],
    "transmit-timeout-old": [
        told(DRIVER, "ens5", kind="transmit-timeout"),
    ],
    "transmit-timeout": [
        told(DRIVER, "eno1", kind="transmit-timeout"),
    ],
    "mlx5-reset": 2 * [told(DRIVER, NIC, kind="reset")],
    "intel-reset": [
        told(DRIVER, "eno2", kind="reset"),
        told(DRIVER, "enp1s0f1", kind="reset"),
        told(DRIVER, "eth0", kind="reset"),
    ],
    "bnxt-reset": 3 * [told(DRIVER, "eth0", kind="reset")],
    "ena-reset": 6 * [told(DRIVER, "0000:00:05.0", kind="reset")],
    "conntrack-full": [
        told(FULL, kind="conntrack"),
        told(FULL, kind="conntrack"),
        told(FULL, kind="conntrack"),
    ],
    "neighbour-full": [
        told(FULL, kind="arp"),
        told(FULL, kind="ndisc"),
    ],
    "interface-stuck": [
        told("net.interface_stuck"),
    ],
    "peermem-error": [
        told("gpu.peermem_errors"),
    ],
    "nccl-crash": [
        told("gpu.nccl_crashes"),
    ],
}
"""By pattern, in the order of its samples."""

SAMPLES: Final = {
    name: each
    for topic in (*complaints.BY_TOPIC, "nvidia")
    for name, each in samples(topic).items()
}
SAID: Final[Mapping[str, Complaint]] = {
    line: complaint
    for name, meant in MEANT.items()
    for line, complaint in zip(SAMPLES[name]["says"], meant, strict=True)
}
UNSAID: Final = [line for name in MEANT for line in SAMPLES[name]["unsaid"]]
