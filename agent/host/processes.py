"""Which processes run, and which of them sleep in the kernel for so long that nothing can end them.

A process that does nothing but sleep looks the same whenever it is looked at: one that was on a
processor in the meantime, however short, begins to count anew.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from agent.host import ours

_UNINTERRUPTIBLE: Final = "D"
_ENDED: Final = "Z"
_LONGEST_LINE: Final = 1024
_FRESH: Final = 30.0
"""Seconds for which a look is as good as another one."""
_INIT: Final = 1
_OF_THE_KERNEL: Final = 0x00200000
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
    is_kernel: bool = False
    """Whether it is one of the kernel's own threads: some of them sleep so all their life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a look found."""

    names: frozenset[str]
    sleepers: tuple[Sleeper, ...] = ()
    zombies: int = 0
    """How many have ended and wait for a parent who does not ask how."""
    services: Mapping[str, int] = field(default_factory=dict)
    """When, in ticks since the boot, each child of process 1 started; of one name, the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    trace: _Trace
    looks: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    pid: int
    name: str
    state: str
    parent: int
    flags: int
    trace: _Trace

    @property
    def started(self) -> int:
        return self.trace[0]


class Processes:
    """Looks at all processes again and again, and remembers those that sleep.

    Args:
        procfs: Where the host's processes are listed.
    """

    def __init__(self, procfs: Path) -> None:
        self._procfs = procfs
        self._asleep: dict[int, _Seen] = {}
        self._last: tuple[float, Running] | None = None

    def lately(self, uptime: float) -> Running:
        """Return what was found a moment ago, whoever looked then, or else look."""
        if self._last is not None and 0 <= uptime - self._last[0] < _FRESH:
            return self._last[1]
        found = self.look(uptime)
        self._last = uptime, found
        return found

    def look(self, uptime: float) -> Running:
        """Look once; what each of them has open is only read of those that sleep."""
        names: set[str] = set()
        asleep: dict[int, _Seen] = {}
        sleepers: list[Sleeper] = []
        services: dict[str, int] = {}
        zombies = 0
        for each in self._all():
            names.add(each.name)
            zombies += each.state == _ENDED
            if each.parent == _INIT:
                services[each.name] = min(each.started, services.get(each.name, each.started))
            if each.state == _UNINTERRUPTIBLE:
                seen = _again(self._asleep.get(each.pid), each.trace, uptime)
                asleep[each.pid] = seen
                sleepers.append(self._sleeper(each, seen, uptime))
        self._asleep = asleep
        return Running(
            names=frozenset(names), sleepers=tuple(sleepers), zombies=zombies, services=services
        )

    def _sleeper(self, process: _Process, seen: _Seen, uptime: float) -> Sleeper:
        return Sleeper(
            pid=process.pid,
            name=process.name,
            looks=seen.looks,
            seconds=uptime - seen.since,
            files=frozenset(_open(self._procfs / str(process.pid) / "fd")),
            is_kernel=bool(process.flags & _OF_THE_KERNEL),
        )

    def _all(self) -> Iterator[_Process]:
        for entry in os.listdir(self._procfs):  # noqa: PTH208 - no object for each of thousands
            if entry.isdigit() and (line := _line(f"{self._procfs}/{entry}/stat")):
                yield _process(int(entry), line)


def _process(pid: int, line: bytes) -> _Process:
    head, _, tail = line.rpartition(b")")
    rest = tail.split()
    return _Process(
        pid=pid,
        name=head.partition(b"(")[2].decode(errors="replace"),
        state=rest[0].decode(),
        parent=int(rest[1]),
        flags=int(rest[6]),
        trace=(int(rest[19]), int(rest[7]), int(rest[11]), int(rest[12])),
    )


def _again(before: _Seen | None, trace: _Trace, uptime: float) -> _Seen:
    if before is None or before.trace != trace:
        return _Seen(trace=trace, looks=1, since=uptime)
    return _Seen(trace=trace, looks=before.looks + 1, since=before.since)


def _line(path: str) -> bytes:
    """Return what the kernel says of a process; nothing of one that has just ended."""
    with ours.Raised():
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(file, _LONGEST_LINE)
        finally:
            os.close(file)
    return b""


def _open(folder: Path) -> Iterator[str]:
    """Give what a process has open; nothing where it has ended, or is not ours to look into."""
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            with contextlib.suppress(OSError):
                yield str(each.readlink())
