"""Which core a measured server has for itself, and which ones are left to its clients."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.figures import Figures, mebibytes, short


@contextmanager
def one_apart() -> Iterator[int | None]:
    """Keep this process off one core and give its number; None if there is only one core."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        yield None
        return
    apart = min(allowed)
    os.sched_setaffinity(0, allowed - {apart})
    try:
        yield apart
    finally:
        os.sched_setaffinity(0, allowed)


def pin(core: int | None) -> None:
    """Let this process run on one core only."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def machine() -> Figures:
    """Describe the machine that the numbers come from, and how busy it is with other things."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": short(psutil.virtual_memory().total / 2**30),
        "load_1m": short(psutil.getloadavg()[0]),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def usage(pid: int) -> tuple[float, float]:
    """Return the CPU seconds that a process has used, and the MiB that it holds."""
    process = psutil.Process(pid)
    with process.oneshot():
        spent = process.cpu_times()
        return spent.user + spent.system, mebibytes(process.memory_info().rss)
