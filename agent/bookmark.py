"""How far the kernel's log was read, for the next agent of this boot.

Pure. Worth keeping and not worth a write of its own: it is written with whatever else is.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from agent.host.kmsg import KernelLog
from agent.host.records import Position
from agent.probe import Past
from agent.readings import FLEETING, Memo

KEEPER: Final = "kernel-log"
"""The probe that remembers it."""
_READ: Final = f"{FLEETING}read"


def position(past: Past) -> Position | None:
    """Return how far an earlier agent of this boot had read the log."""
    before = past.get(("", _READ))
    if before is None:
        return None
    said = before.fields
    return Position(
        source=str(said["source"]),
        sequence=int(said["sequence"]),
        microseconds=int(said["microseconds"]),
    )


def memos(log: KernelLog) -> Iterator[Memo]:
    """Say what is to be remembered."""
    if log.position is not None:
        yield Memo(subject=_READ, fields=asdict(log.position))
