"""Who keeps the kernel's clock right, and how far it may be off: adjtimex(2), asked for nothing."""

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Final

_UNSYNCHRONISED: Final = 0x40
_NANOSECONDS: Final = 0x2000
_TIMEX: Final = "@Illlli"
"""The beginning of the kernel's struct timex: modes, offset, freq, maxerror, esterror, status."""
_LARGEST: Final = 512
"""More than the whole of it, on every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """What the kernel was told of its clock by whatever compares it with others."""

    is_synchronised: bool
    offset: float
    """Seconds that are still to be made up for."""
    max_error: float
    """Seconds: how far off it may be at most; it grows by itself while nobody compares."""


def read() -> Discipline:
    """Ask the kernel, changing nothing.

    Raises:
        OSError: the kernel does not answer, as where a sandbox forbids the question.
    """
    said = ctypes.create_string_buffer(_LARGEST)  # modes 0: nothing is to be set
    if ctypes.CDLL(None, use_errno=True).adjtimex(said) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"adjtimex: {os.strerror(code)}")
    _, offset, _, max_error, _, status = struct.unpack_from(_TIMEX, said)
    return told(offset=offset, max_error=max_error, status=status)


def told(*, offset: int, max_error: int, status: int) -> Discipline:
    """Read the kernel's numbers: an offset in whatever unit the status says, an error in µs."""
    unit = 1e-9 if status & _NANOSECONDS else 1e-6
    return Discipline(
        is_synchronised=not status & _UNSYNCHRONISED,
        offset=offset * unit,
        max_error=max_error * 1e-6,
    )
