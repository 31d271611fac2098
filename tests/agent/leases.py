"""A file that nobody can open for now, as on a disk that does not answer."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.lacking import lacking


@contextlib.contextmanager
def leased(path: Path) -> Iterator[None]:
    """Hold the lease of a file: whoever opens or runs it waits until we give it back."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # with it we are asked for the lease
    lease = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as refused:
        lacking(f"no lease of a file can be had here: {refused}")
    else:
        yield
    finally:
        os.close(lease)
        signal.signal(signal.SIGIO, before)
