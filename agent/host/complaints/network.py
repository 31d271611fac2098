"""What the kernel says of network adapters and its own tables, and of RDMA to GPUs."""

from typing import Final

from agent.host.complaints.pattern import DEVICE, PCI, pattern

DRIVER: Final = "net.driver_errors"
FULL: Final = "net.table_overflows"
STUCK: Final = "net.interface_stuck"
PEERMEM: Final = "gpu.peermem_errors"
NCCL: Final = "gpu.nccl_crashes"

_MLX5: Final = rf"mlx5_core {PCI}\b.*"
_QUEUE: Final = r"transmit queue \d+ timed out"

PATTERNS: Final = (
    pattern(
        DRIVER,
        rf"{_MLX5}(?:device's health compromised|unrecoverable hardware error)",
        "health compromised",
        "unrecoverable hardware error",
        fields={"kind": "health"},
    ),
    pattern(
        DRIVER,
        rf"{_MLX5}timeout\. Will cause a leak of a command resource",
        "leak of a command resource",
        fields={"kind": "command-timeout"},
    ),
    pattern(
        DRIVER,
        rf"{_MLX5}Detected insufficient power on the PCIe slot \(\d+W\)",
        "insufficient power on the PCIe slot",
        fields={"kind": "power"},
    ),
    pattern(
        DRIVER,
        rf"{_MLX5}Port module event.*High Temperature",
        "Port module event",
        fields={"kind": "hot"},
    ),
    pattern(
        DRIVER,
        rf"NETDEV WATCHDOG: {DEVICE} \([^)]{{1,32}}\): {_QUEUE}",
        "NETDEV WATCHDOG",
        fields={"kind": "transmit-timeout"},
    ),
    pattern(
        DRIVER,
        rf"(?:\S{{1,32}} \S{{1,32}} )?{DEVICE}: NETDEV WATCHDOG: (?:CPU: \d+: )?{_QUEUE}",
        "NETDEV WATCHDOG",
        fields={"kind": "transmit-timeout"},
    ),
    pattern(
        FULL,
        r"(?:nf_conntrack: ){1,2}table full, dropping packet",
        "table full, dropping packet",
        fields={"kind": "conntrack"},
    ),
    pattern(
        FULL,
        r"neighbour: (?P<kind>arp_cache|ndisc_cache): neighbor table overflow",
        "neighbor table overflow",
        means={"arp_cache": "arp", "ndisc_cache": "ndisc"},
    ),
    pattern(
        STUCK,
        r"unregister_netdevice: waiting for \S{1,32} to become free\. Usage count = -?\d",
        "unregister_netdevice",
    ),
    pattern(
        PEERMEM,
        r"nvidia-peermem .*ERROR detected invalid context, skipping further processing",
        "nvidia-peermem",
    ),
    pattern(NCCL, r".{1,64}\[\d+\]: segfault at .* in libnccl\.so", "in libnccl.so"),
)
