"""Which processes run, and which of them sleep in the kernel for so long that nothing can end them.

A process that does nothing but sleep looks the same whenever it is looked at: one that was on a
processor in the meantime, however short, begins to count anew.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

_UNINTERRUPTIBLE: Final = "D"
_LONGEST_LINE: Final = 1024
_Trace: TypeAlias = tuple[int, int, int, int]
"""When it started, its page faults, and its time on a processor for itself and in the kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeper:
    """A process that sleeps where nothing can end it, and has done nothing else for a while."""

    pid: int
    name: str
    """As the kernel has it: the first 15 bytes."""
    looks: int
    """How many looks in a row found it so."""
    seconds: float
    """Since when, by the first of them."""
    files: frozenset[str] = frozenset()
    """What it has open, as far as we may see that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a look found."""

    names: frozenset[str]
    sleepers: tuple[Sleeper, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    trace: _Trace
    looks: int
    since: float


class Processes:
    """Looks at all processes again and again, and remembers those that sleep.

    Args:
        procfs: Where the host's processes are listed.
    """

    def __init__(self, procfs: Path) -> None:
        self._procfs = procfs
        self._asleep: dict[int, _Seen] = {}

    def look(self, uptime: float) -> Running:
        """Look once; what each of them has open is only read of those that sleep."""
        names: set[str] = set()
        asleep: dict[int, _Seen] = {}
        sleepers: list[Sleeper] = []
        for pid, name, state, trace in self._all():
            names.add(name)
            if state == _UNINTERRUPTIBLE:
                seen = asleep[pid] = _again(self._asleep.get(pid), trace, uptime)
                sleepers.append(self._sleeper(pid, name, seen, uptime))
        self._asleep = asleep
        return Running(names=frozenset(names), sleepers=tuple(sleepers))

    def _sleeper(self, pid: int, name: str, seen: _Seen, uptime: float) -> Sleeper:
        return Sleeper(
            pid=pid,
            name=name,
            looks=seen.looks,
            seconds=uptime - seen.since,
            files=frozenset(_open(self._procfs / str(pid) / "fd")),
        )

    def _all(self) -> Iterator[tuple[int, str, str, _Trace]]:
        for entry in os.listdir(self._procfs):  # noqa: PTH208 - no object for each of thousands
            if entry.isdigit() and (line := _line(f"{self._procfs}/{entry}/stat")):
                head, _, tail = line.rpartition(b")")
                name = head.partition(b"(")[2].decode(errors="replace")
                rest = tail.split()
                trace = (int(rest[19]), int(rest[7]), int(rest[11]), int(rest[12]))
                yield int(entry), name, rest[0].decode(), trace


def _again(before: _Seen | None, trace: _Trace, uptime: float) -> _Seen:
    if before is None or before.trace != trace:
        return _Seen(trace=trace, looks=1, since=uptime)
    return _Seen(trace=trace, looks=before.looks + 1, since=before.since)


def _line(path: str) -> bytes:
    """Return what the kernel says of a process; nothing of one that has just ended."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, _LONGEST_LINE)
    except OSError:
        return b""
    finally:
        os.close(file)


def _open(folder: Path) -> Iterator[str]:
    """Give what a process has open; nothing where it has ended, or is not ours to look into."""
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            with contextlib.suppress(OSError):
                yield str(each.readlink())
