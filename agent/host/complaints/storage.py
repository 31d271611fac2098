"""What the kernel says of filesystems, disks and file servers."""

from typing import Final

from agent.host.complaints.pattern import DEVICE, pattern

FILESYSTEM: Final = "disk.filesystem_errors"
IO: Final = "disk.io_errors_logged"
NVME: Final = "nvme.errors_logged"
MD: Final = "md.disk_failures"
NFS: Final = "nfs.not_responding"
NFS_TIMEOUT: Final = "nfs.timeouts"
DOWN: Final = {"state": "down"}
UP: Final = {"state": "up"}

_SERVER: Final = r"nfs: server (?P<subject>\S{1,100})"

PATTERNS: Final = (
    pattern(
        FILESYSTEM,
        rf"EXT4-fs error \(device {DEVICE}\)",
        "EXT4-fs error",
        fields={"fstype": "ext4", "kind": "error"},
    ),
    pattern(
        FILESYSTEM,
        rf"(?P<fstype>EXT4|F2FS)-fs \({DEVICE}\): Remounting filesystem read-only",
        "Remounting filesystem read-only",
        fields={"kind": "read-only"},
        means={"EXT4": "ext4", "F2FS": "f2fs"},
    ),
    pattern(
        FILESYSTEM,
        rf"BTRFS(?:: | )(?:[a-z]+ )?\(device {DEVICE}[^)]*\)(?:: | in .*)forced readonly",
        "forced readonly",
        fields={"fstype": "btrfs", "kind": "read-only"},
    ),
    pattern(
        FILESYSTEM,
        rf"BTRFS: error \(device {DEVICE}[^)]*\) in .*errno=-\d+",
        "BTRFS: error",
        fields={"fstype": "btrfs", "kind": "error"},
    ),
    pattern(
        FILESYSTEM,
        rf"BTRFS (?:error|warning|critical) \(device {DEVICE}[^)]*\): "
        r"(?:bdev \S+ errs: |corrupt |csum failed |checksum |bad tree block |"
        r"parent transid verify)",
        "BTRFS error",
        "BTRFS warning",
        "BTRFS critical",
        fields={"fstype": "btrfs", "kind": "corruption"},
    ),
    pattern(
        FILESYSTEM,
        rf"XFS \({DEVICE}\): .*(?:[Ss]hutting down filesystem|Filesystem has been shut down|"
        r"Please u(?:n)?mount the filesystem and rectify)",
        "XFS (",
        fields={"fstype": "xfs", "kind": "shutdown"},
    ),
    pattern(
        FILESYSTEM,
        rf"XFS \({DEVICE}\): (?:Metadata (?:corruption|CRC error) detected|"
        r"Corruption of in-memory data)",
        "XFS (",
        fields={"fstype": "xfs", "kind": "corruption"},
    ),
    pattern(
        FILESYSTEM,
        rf"XFS \({DEVICE}\): (?:log|[Mm]etadata) I/O error",
        "XFS (",
        fields={"fstype": "xfs", "kind": "error"},
    ),
    pattern(
        IO,
        r"(?:blk_update_request: |print_req_error: )?(?P<kind>I/O|critical (?:medium|target|nexus|"
        rf"space allocation)|protection|timeout|reservation conflict) error, dev {DEVICE}, "
        r"sector \d",
        " error, dev ",
        means={
            "I/O": "io",
            "critical medium": "medium",
            "critical target": "target",
            "critical nexus": "nexus",
            "critical space allocation": "space",
            "reservation conflict": "reservation",
        },
    ),
    pattern(
        IO,
        rf"Buffer I/O error on dev(?:ice)? {DEVICE}, logical block \d",
        "Buffer I/O error",
        fields={"kind": "buffer"},
    ),
    pattern(
        NVME,
        r"nvme (?P<subject>nvme\d{1,4}): I/O (?:tag )?\d+ .*timeout, "
        r"(?P<kind>aborting|reset controller|disable controller|completion polled)",
        " timeout, ",
        means={
            "aborting": "aborted",
            "reset controller": "reset",
            "disable controller": "disabled",
            "completion polled": "polled",
        },
    ),
    pattern(
        NVME,
        r"nvme (?P<subject>nvme\d{1,4}): controller is down; will reset: CSTS=0xffffffff",
        "controller is down",
        fields={"kind": "down"},
    ),
    pattern(
        NVME,
        r"nvme (?P<subject>nvme\d{1,4}): (?:Removing after probe failure|Disabling device after "
        r"reset failure|Device not ready; aborting (?:reset|initiali[sz]ation))",
        "Removing after probe failure",
        "Disabling device after reset failure",
        "Device not ready; aborting",
        fields={"kind": "dead"},
    ),
    pattern(
        MD,
        r"md/raid\w{0,8}:(?P<subject>md\w{1,24}): Disk failure on (?P<disk>[\w-]{1,32}),",
        "Disk failure on",
    ),
    pattern(NFS, rf"{_SERVER} not responding, still trying", "not responding, still", fields=DOWN),
    pattern(NFS, rf"{_SERVER} OK\s*$", "nfs: server", fields=UP),
    pattern(NFS_TIMEOUT, rf"{_SERVER} not responding, timed out", "not responding, timed"),
)
