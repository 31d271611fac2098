"""For how much of the time tasks waited for something: the kernel's pressure stall information."""

import re
from pathlib import Path
from typing import Final

from agent.host import attributes

_LONGEST: Final = "avg300"


def share(procfs: Path, of: str, *, whose: str, window: str) -> float | None:
    """Return the share of a window, or None where the kernel has no PSI, or has it off.

    Args:
        procfs: Where the host's procfs is.
        of: What was waited for: cpu, io or memory.
        whose: `some` if a single task that waited counts, `full` if all of them must have.
        window: How the kernel calls it: avg10, avg60 or avg300.

    Raises:
        OSError: there is such a file, but it cannot be read.
    """
    said = attributes.text(procfs / "pressure" / of) or ""
    found = re.search(rf"^{whose} .*\b{window}=(\d+\.\d+)", said, re.MULTILINE)
    return float(found[1]) / 100 if found else None


def of_cpu(root: Path) -> float | None:
    """Return for how much of the last five minutes some task waited for a processor."""
    return share(root / "proc", "cpu", whose="some", window=_LONGEST)


def of_io(root: Path) -> float | None:
    """Return for how much of the last five minutes every task that had work waited for disks."""
    return share(root / "proc", "io", whose="full", window=_LONGEST)
