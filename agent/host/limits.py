"""How near the machine is to what its kernel allows: threads and open files."""

from dataclasses import dataclass
from pathlib import Path

from agent.host import attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Something of which there is only so much."""

    used: int
    most: int

    @property
    def free(self) -> float:
        """Return which share of it is left."""
        return max(0.0, 1 - self.used / self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the kernel says of each; None where it says nothing."""

    threads: Stock | None
    files: Stock | None


def read(root: Path) -> Limits:
    """Read procfs.

    Raises:
        OSError: something is there, but cannot be read.
    """
    procfs = root / "proc"
    return Limits(threads=_threads(procfs), files=_files(procfs))


def _threads(procfs: Path) -> Stock | None:
    """Take the lower of two limits: every thread has a number, and there may be so many."""
    names = ("sys/kernel/pid_max", "sys/kernel/threads-max")
    most = [limit for each in names if (limit := attributes.number(procfs / each))]
    fields = (attributes.text(procfs / "loadavg") or "").split()
    if len(fields) < 4 or not most:
        return None
    return Stock(used=int(fields[3].partition("/")[2]), most=min(most))


def _files(procfs: Path) -> Stock | None:
    fields = (attributes.text(procfs / "sys/fs/file-nr") or "").split()
    if len(fields) < 3 or fields[2] == "0":
        return None
    return Stock(used=int(fields[0]), most=int(fields[2]))
