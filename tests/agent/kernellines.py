"""Lines as kernels write them, what each of them tells, and lines that only look like one."""

from collections.abc import Mapping

from agent.host.complaints.pattern import Complaint


def told(signal: str, subject: str = "", count: int = 1, **fields: str) -> Complaint:
    return Complaint(signal=signal, subject=subject, fields=fields, count=count)


def filesystem(subject: str, fstype: str, kind: str) -> Complaint:
    return told("disk.filesystem_errors", subject, fstype=fstype, kind=kind)


def hung(comm: str, pid: int) -> Complaint:
    return Complaint(signal="kernel.hung_tasks", fields={"comm": comm}, pid=pid)


IO, NVME, NFS = "disk.io_errors_logged", "nvme.errors_logged", "nfs.not_responding"
LOCKUP, ERROR, OOM = "kernel.lockups", "kernel.errors", "memory.oom_kills_logged"
HARDWARE, PCIE, DRIVER = "kernel.hardware_errors", "kernel.pcie_errors", "net.driver_errors"
UNPLUGGED, FULL, NIC = "kernel.pcie_unplugged", "net.table_overflows", "0000:5c:00.0"

SAID: Mapping[str, Complaint] = {
    # filesystems
    "EXT4-fs error (device sdb2): ext4_lookup:1785: inode #77: comm tar: deleted inode "
    "referenced: 91": filesystem("sdb2", "ext4", "error"),
    "EXT4-fs (nvme3n1p1): Remounting filesystem read-only": filesystem(
        "nvme3n1p1", "ext4", "read-only"
    ),
    "F2FS-fs (sdc1): Remounting filesystem read-only": filesystem("sdc1", "f2fs", "read-only"),
    "BTRFS info (device sdd: state E): forced readonly": filesystem("sdd", "btrfs", "read-only"),
    "BTRFS: error (device sdd) in btrfs_commit_transaction:2494: errno=-5 IO failure (x)": (
        filesystem("sdd", "btrfs", "error")
    ),
    "BTRFS error (device dm-3): bdev /dev/mapper/x errs: wr 12, rd 0, flush 1, corrupt 0, gen 0": (
        filesystem("dm-3", "btrfs", "corruption")
    ),
    "BTRFS warning (device sde): csum failed root 5 ino 300 off 4096 csum 0x1 expected csum 0x2": (
        filesystem("sde", "btrfs", "corruption")
    ),
    "XFS (dm-1): Log I/O Error (0x2) detected at xlog_ioend_work+0x5f/0x70 [xfs] "
    "(fs/xfs/xfs_log.c:1337).  Shutting down filesystem.": filesystem("dm-1", "xfs", "shutdown"),
    "XFS (dm-1): Corruption of in-memory data detected.  Shutting down filesystem": filesystem(
        "dm-1", "xfs", "shutdown"
    ),
    "XFS (nvme0n1p3): Filesystem has been shut down due to log error (0x2).": filesystem(
        "nvme0n1p3", "xfs", "shutdown"
    ),
    "XFS (nvme0n1p3): Please unmount the filesystem and rectify the problem(s).": filesystem(
        "nvme0n1p3", "xfs", "shutdown"
    ),
    "XFS (sda4): Metadata CRC error detected at xfs_agf_read_verify+0xa1/0xf0 [xfs], xfs_agf "
    "block 0x1": filesystem("sda4", "xfs", "corruption"),
    "XFS (sda4): Metadata corruption detected at xfs_inode_buf_verify+0x17/0x170 [xfs]": (
        filesystem("sda4", "xfs", "corruption")
    ),
    "XFS (sda4): log I/O error -5": filesystem("sda4", "xfs", "error"),
    'XFS (sda4): metadata I/O error in "xfs_buf_ioend" at daddr 0x1 len 8 error 5': filesystem(
        "sda4", "xfs", "error"
    ),
    # disks
    "blk_update_request: I/O error, dev sdf, sector 123456 op 0x1:(WRITE)": told(
        IO, "sdf", kind="io"
    ),
    "print_req_error: I/O error, dev sdf, sector 8": told(IO, "sdf", kind="io"),
    "I/O error, dev nvme2n1, sector 4096 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2": told(
        IO, "nvme2n1", kind="io"
    ),
    "critical medium error, dev sdg, sector 77 op 0x0:(READ) flags 0x80700": told(
        IO, "sdg", kind="medium"
    ),
    "critical target error, dev nvme1n1, sector 0 op 0x3:(DISCARD)": told(
        IO, "nvme1n1", kind="target"
    ),
    "critical space allocation error, dev sdh, sector 5 op 0x1:(WRITE)": told(
        IO, "sdh", kind="space"
    ),
    "protection error, dev nvme1n1, sector 64 op 0x0:(READ)": told(
        IO, "nvme1n1", kind="protection"
    ),
    "timeout error, dev vdb, sector 9 op 0x0:(READ)": told(IO, "vdb", kind="timeout"),
    "Buffer I/O error on dev dm-2, logical block 17, lost async page write": told(
        IO, "dm-2", kind="buffer"
    ),
    "Buffer I/O error on device sdb1, logical block 3": told(IO, "sdb1", kind="buffer"),
    "nvme nvme4: I/O 31 QID 7 timeout, aborting": told(NVME, "nvme4", kind="aborted"),
    "nvme nvme4: I/O tag 9 (2009) opcode 0x1 (I/O Cmd) QID 2 timeout, aborting req_op:WRITE(1) "
    "size:4096": told(NVME, "nvme4", kind="aborted"),
    "nvme nvme4: I/O 31 QID 7 timeout, reset controller": told(NVME, "nvme4", kind="reset"),
    "nvme nvme4: I/O 0 QID 0 timeout, disable controller": told(NVME, "nvme4", kind="disabled"),
    "nvme nvme4: I/O 840 QID 1 timeout, completion polled": told(NVME, "nvme4", kind="polled"),
    "nvme nvme5: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff": told(
        NVME, "nvme5", kind="down"
    ),
    "nvme nvme5: Removing after probe failure status: -19": told(NVME, "nvme5", kind="dead"),
    "nvme nvme5: Disabling device after reset failure: -19": told(NVME, "nvme5", kind="dead"),
    "nvme nvme5: Device not ready; aborting reset, CSTS=0x1": told(NVME, "nvme5", kind="dead"),
    "nvme nvme5: Device not ready; aborting initialisation, CSTS=0x0": told(
        NVME, "nvme5", kind="dead"
    ),
    "md/raid10:md127: Disk failure on nvme7n1, disabling device.": told(
        "md.disk_failures", "md127", disk="nvme7n1"
    ),
    "nfs: server filer-3.example not responding, still trying": told(
        NFS, "filer-3.example", state="down"
    ),
    "nfs: server filer-3.example OK": told(NFS, "filer-3.example", state="up"),
    "nfs: server fd00::5 not responding, timed out": told("nfs.timeouts", "fd00::5"),
    # the kernel itself
    "INFO: task rsync:40211 blocked for more than 120 seconds.": hung("rsync", 40211),
    "INFO: task tokio-runtime-w:88 blocked for more than 241 seconds.": hung("tokio-runtime-w", 88),
    "INFO: task kworker/3:1:71 blocked in I/O wait for more than 122 seconds.": hung(
        "kworker/3:1", 71
    ),
    "INFO: task jbd2/dm-0-8:350 blocked  for more than 122 seconds.": hung("jbd2/dm-0-8", 350),
    "watchdog: BUG: soft lockup - CPU#71 stuck for 26s! [python3:5150]": told(LOCKUP, kind="soft"),
    "NMI watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [ksoftirqd/3:29]": told(
        LOCKUP, kind="soft"
    ),
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 9": told(LOCKUP, kind="hard"),
    "watchdog: CPU4: Watchdog detected hard LOCKUP on cpu 5": told(LOCKUP, kind="hard"),
    "rcu: INFO: rcu_preempt self-detected stall on CPU": told(LOCKUP, kind="rcu"),
    "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:": told(LOCKUP, kind="rcu"),
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 7-... }": told(
        LOCKUP, kind="rcu"
    ),
    "INFO: rcu_sched self-detected stall on CPU": told(LOCKUP, kind="rcu"),
    "BUG: unable to handle page fault for address: ffff9d0000001000": told(ERROR, kind="fault"),
    "BUG: kernel NULL pointer dereference, address: 0000000000000010": told(ERROR, kind="fault"),
    "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP": told(
        ERROR, kind="fault"
    ),
    "divide error: 0000 [#1] SMP NOPTI": told(ERROR, kind="fault"),
    "Oops: 0002 [#1] PREEMPT SMP NOPTI": told(ERROR, kind="oops"),
    "Oops: general protection fault, maybe for address 0xfe: 0000 [#2] SMP": told(
        ERROR, kind="oops"
    ),
    "Internal error: Oops: 0000000096000004 [#1] SMP": told(ERROR, kind="oops"),
    "kernel BUG at mm/slub.c:4023!": told(ERROR, kind="bug"),
    "Kernel panic - not syncing: hung_task: blocked tasks": told(ERROR, kind="panic"),
    "Out of memory: Killed process 88 (train.py) total-vm:9kB, anon-rss:8kB, UID:0": told(
        OOM, scope="system", comm="train.py"
    ),
    "Out of memory: Kill process 88 (a) b) score 900 or sacrifice child": told(
        OOM, scope="system", comm="a"
    ),
    "Out of memory (oom_kill_allocating_task): Killed process 3 (x y) total-vm:9kB": told(
        OOM, scope="system", comm="x y"
    ),
    "Memory cgroup out of memory: Killed process 4242 (node) total-vm:9kB, anon-rss:1kB": told(
        OOM, scope="cgroup"
    ),
    "Memory cgroup out of memory: Kill process 4242 (node) score 1 or sacrifice child": told(
        OOM, scope="cgroup"
    ),
    # hardware
    "{7}[Hardware Error]: event severity: fatal": told(HARDWARE, kind="ghes", severity="fatal"),
    "{7}[Hardware Error]: event severity: recoverable": told(
        HARDWARE, kind="ghes", severity="recoverable"
    ),
    "[Hardware Error]: event severity: corrected": told(
        HARDWARE, kind="ghes", severity="corrected"
    ),
    "mce: [Hardware Error]: Machine check events logged": told(
        HARDWARE, kind="mce", severity="unsaid"
    ),
    "mce: [Hardware Error]: CPU 44: Machine Check: 0 Bank 7: 8c00004000010090": told(
        HARDWARE, kind="mce", severity="corrected"
    ),
    "mce: [Hardware Error]: CPU 44: Machine Check Exception: 5 Bank 1: bd80000000100134": told(
        HARDWARE, kind="mce", severity="uncorrected"
    ),
    "EDAC MC2: 14 CE memory read error on CPU_SrcID#1_MC#0_Chan#1_DIMM#0 (channel:1 slot:0)": told(
        HARDWARE, "MC2", 14, kind="edac", severity="corrected"
    ),
    "EDAC i10nm MC11: 1 UE memory read error on unknown memory": told(
        HARDWARE, "MC11", kind="edac", severity="uncorrected"
    ),
    "pcieport 0000:16:01.0: PCIe Bus Error: severity=Corrected, type=Data Link Layer, "
    "(Transmitter ID)": told(PCIE, "0000:16:01.0", severity="corrected"),
    "nvme 0000:17:00.0: AER: PCIe Bus Error: severity=Correctable, type=Physical Layer": told(
        PCIE, "0000:17:00.0", severity="corrected"
    ),
    "mlx5_core 0000:86:00.1: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), "
    "type=Transaction Layer": told(PCIE, "0000:86:00.1", severity="nonfatal"),
    "nvidia 10000:e1:00.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Inaccessible": told(
        PCIE, "10000:e1:00.0", severity="fatal"
    ),
    "pcieport 0000:00:1c.0: pciehp: Slot(8-1): Link Down": told(UNPLUGGED, "8-1", kind="link-down"),
    "pciehp 0000:00:02.0:pcie004: Slot(0): Card not present": told(
        UNPLUGGED, "0", kind="card-gone"
    ),
    # networks
    f"mlx5_core {NIC}: poll_health:985:(pid 0): device's health compromised - reached miss count": (
        told(DRIVER, NIC, kind="health")
    ),
    f"mlx5_core {NIC}: print_health_info:540:(pid 0): synd 0x1: unrecoverable hardware error": told(
        DRIVER, NIC, kind="health"
    ),
    f"mlx5_core {NIC} eth4: wait_func:1151:(pid 9): QUERY_VPORT(0x754) timeout. Will cause a leak "
    "of a command resource": told(DRIVER, NIC, kind="command-timeout"),
    f"mlx5_core {NIC}: mlx5_pcie_event:301:(pid 7): Detected insufficient power on the PCIe slot "
    "(25W).": told(DRIVER, NIC, kind="power"),
    f"mlx5_core {NIC}: Port module event[error]: module 1, Cable error, High Temperature": told(
        DRIVER, NIC, kind="hot"
    ),
    "NETDEV WATCHDOG: ens5 (ena): transmit queue 0 timed out": told(
        DRIVER, "ens5", kind="transmit-timeout"
    ),
    "igb 0000:04:00.0 eno1: NETDEV WATCHDOG: CPU: 31: transmit queue 2 timed out 5312 ms": told(
        DRIVER, "eno1", kind="transmit-timeout"
    ),
    "nf_conntrack: table full, dropping packet": told(FULL, kind="conntrack"),
    "nf_conntrack: nf_conntrack: table full, dropping packet": told(FULL, kind="conntrack"),
    "neighbour: arp_cache: neighbor table overflow!": told(FULL, kind="arp"),
    "neighbour: ndisc_cache: neighbor table overflow!": told(FULL, kind="ndisc"),
    "unregister_netdevice: waiting for veth1a2b to become free. Usage count = 2": told(
        "net.interface_stuck"
    ),
    "nvidia-peermem nv_mem_put_pages:241 ERROR detected invalid context, skipping further "
    "processing": told("gpu.peermem_errors"),
    "pt_main_thread[991]: segfault at 28 ip 00007f11aa sp 00007f11bb error 4 in "
    "libnccl.so.2.21.5[7f1100000000+800000]": told("gpu.nccl_crashes"),
}

UNSAID = [
    "EXT4-fs (sdb2): mounted filesystem 1b2c ro with ordered data mode. Quota mode: none.",
    "EXT4-fs (sdb2): error count since last fsck: 4",
    "EXT4-fs (sdb2): re-mounted 1b2c ro.",
    "my-app: EXT4-fs error (device sda1): quoted",
    "my-app: Remounting filesystem read-only",
    "BTRFS info (device sdd): bdev /dev/sdd errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
    "BTRFS info (device sdd): using crc32c checksum algorithm",
    "BTRFS error (device sdd): unrecognized mount option 'nope'",
    "XFS (dm-1): Mounting V5 Filesystem 1b2c",
    "XFS (dm-1): Unmounting Filesystem 1b2c",
    "XFS (dm-1): Ending clean mount",
    "backup: I/O error, dev sda, sector 1",
    "I/O error, dev sda, no sector",
    "Buffer I/O error on nothing",
    "nvme nvme4: 32/0/0 default/read/poll queues",
    "nvme nvme4: resetting controller",
    "nvme nvme4: Shutdown timeout set to 10 seconds",
    "my-nvme nvme4: I/O 31 QID 7 timeout, aborting",
    "nvme nvme4: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10",
    "md/raid1:md0: active with 2 out of 2 mirrors",
    "md: md0: recovery done.",
    "nfs: server filer OKAY",
    "nfs: server filer is busy",
    "lockd: server filer not responding, still trying",
    "INFO: task x:1 is blocked on a mutex likely owned by task y:2.",
    "INFO: task without a number blocked for more than 120 seconds.",
    "my-app: INFO: task kubelet:1 blocked for more than 120 seconds.",
    "watchdog: Delayed init of the lockup detector failed: -19",
    "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "watchdog detected nothing",
    "rcu: INFO: rcu_preempt is fine",
    "rcu: Hierarchical RCU implementation.",
    "traps: python3[12] general protection fault ip:7f sp:7f error:0 in libc.so.6[7f+1]",
    "traps: x[9] trap divide error ip:40 sp:7f error:0 in x[40+1]",
    "Oops: 0000[77]: segfault at 0 ip 0 sp 0 error 4 in x[0+1]",
    "kernel BUG at x[77]: segfault at 0 ip 0 sp 0 error 4 in x[0+1]",
    "BUG: nothing that anybody knows",
    "not a Kernel panic - not syncing",
    "oom_reaper: reaped process 88 (train.py), now anon-rss:0kB, file-rss:0kB",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=node,pid=4242,uid=0",
    "node invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=999",
    "Out of memory: nobody was killed",
    "{7}[Hardware Error]: Error 0, type: fatal",
    "[Hardware Error]: event severity: fatalistic",
    "mce: CPU0: Thermal monitoring enabled (TM1)",
    "mce: [Hardware Error]: PROCESSOR 0:50657 TIME 1700000000 SOCKET 0 APIC 0",
    "EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0",
    "EDAC skx: ECC is disabled on imc 0",
    "pcieport 0000:16:01.0: AER: Multiple Corrected error message received from 0000:17:00.0",
    "pcieport 0000:16:01.0: PCIe Bus Error: severity=Imagined, type=None",
    "pcieport 0000:00:1c.0: pciehp: Slot(8): Card present",
    "pcieport 0000:00:1c.0: pciehp: Slot(8): Link Up",
    "igb 0000:04:00.0 eno1: igb: eno1 NIC Link Down",
    f"mlx5_core {NIC}: Port module event: module 1, Cable plugged",
    f"mlx5_core {NIC}: firmware version: 22.39.2048",
    f"my_core {NIC}: device's health compromised - reached miss count",
    f"mlx5_core {NIC}: mlx5_pcie_event: Detected insufficient power on the PCIe slot (none)",
    "NETDEV WATCHDOG: ens5 (ena): receive queue 0 timed out",
    "nf_conntrack: default automatic helper assignment has been turned off",
    "app: nf_conntrack: table full, dropping packet",
    "neighbour: arp_cache: neighbor table is fine",
    "unregister_netdevice: waiting for nothing",
    "nvidia-peermem nv_mem_client_init:1 loaded",
    "BTRFS info (device sdd): was never forced readonly",
    "BTRFS: error (device sdd) in a place that is not told",
    "my-nvme nvme5: Removing after probe failure status: -19",
    "my-app: md/raid1:md0: Disk failure on sdb1, disabling device.",
    "my-nfs: server filer not responding, timed out",
    "my-app: BUG: soft lockup - CPU#71 stuck for 26s! [python3:5150]",
    "my-app: Watchdog detected hard LOCKUP on cpu 9",
    "Memory cgroup out of memory: nobody was killed",
    f"my_core {NIC}: X(0x1) timeout. Will cause a leak of a command resource",
    "neighbour: my_cache: neighbor table overflow!",
    "segfault at 28 ip 0 sp 0 error 4 in libnccl.so.2",
    "python3[9]: segfault at 28 ip 0 sp 0 error 4 in libcuda.so.1[7f+1]",
]
