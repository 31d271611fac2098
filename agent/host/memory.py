"""How much memory is left, how often it was not enough, and how long everything waited for it."""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.host import attributes, pressure


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the kernel says of memory; None is what this kernel does not say."""

    total: int | None
    available: int | None
    """In the same unit: what could be had without swapping."""
    oom_kills: int | None
    """Since the boot, those within a container's own limit included."""
    stalled: float | None
    """Share of the last minute in which all that could have run waited for memory."""


def read(procfs: Path) -> Memory:
    """Read meminfo, vmstat and the pressure of memory.

    Raises:
        OSError: there is such a file, but it cannot be read.
    """
    meminfo = attributes.text(procfs / "meminfo")
    vmstat = attributes.text(procfs / "vmstat")
    return Memory(
        total=_named(meminfo, "MemTotal:"),
        available=_named(meminfo, "MemAvailable:"),
        oom_kills=_named(vmstat, "oom_kill"),
        stalled=pressure.share(procfs, "memory", whose="full", window="avg60"),
    )


def _named(table: str | None, name: str) -> int | None:
    """Find the number after a name at the beginning of a line."""
    row = re.search(rf"^{name}\s+(\d+)", table or "", re.MULTILINE)
    return int(row[1]) if row else None
