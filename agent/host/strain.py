"""How hard disks work: how long a command takes, and whether any comes to its end at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes, disks

_COLUMNS: Final = 11
"""Those that every kernel has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """What one disk did since the look before."""

    name: str
    stalled: float | None
    """For how many seconds commands have been under way of which none ended; None when it was
    never looked at before."""
    ended: int
    """How many commands did."""
    seconds: float
    """How long those took, all together."""
    waiting: int
    """How many are under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stat:
    ended: int
    """Reads and writes, which alone are timed alike everywhere."""
    done: int
    """Whatever ended, discards and flushes included."""
    milliseconds: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    stat: _Stat
    still_since: float
    """Since when, in seconds of uptime, nothing ended though something was under way."""


class Strains:
    """Reads /sys/block/*/stat again and again.

    Args:
        sysfs: The folder.
    """

    def __init__(self, sysfs: Path) -> None:
        self._sysfs = sysfs
        self._seen: dict[str, _Seen] = {}

    def look(self, uptime: float) -> tuple[Strain, ...]:
        """Read every disk with hardware behind it."""
        storage = disks.found(self._sysfs, ())
        names = [disk.name for disk in storage.disks] if storage is not None else []
        found = tuple(self._looks(names, uptime))
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        return found

    def _looks(self, names: list[str], uptime: float) -> Iterator[Strain]:
        for name in names:
            stat = _stat(attributes.text(self._sysfs / "block" / name / "stat") or "")
            if stat is not None:
                yield self._strain(name, stat, uptime)

    def _strain(self, name: str, stat: _Stat, uptime: float) -> Strain:
        before = self._seen.get(name)
        still = before is not None and before.stat.waiting > 0 < stat.waiting
        still = still and before is not None and before.stat.done == stat.done
        since = before.still_since if before is not None and still else uptime
        self._seen[name] = _Seen(stat=stat, still_since=since)
        was = before.stat if before is not None else stat
        return Strain(
            name=name,
            stalled=None if before is None else uptime - since,
            ended=max(0, stat.ended - was.ended),
            seconds=max(0, stat.milliseconds - was.milliseconds) / 1000,
            waiting=stat.waiting,
        )


def _stat(row: str) -> _Stat | None:
    """Read columns of reads, writes, what is under way and, on newer kernels, discards, flushes.

    Of reads and writes the first column of four says how many ended, the last how long they took.
    """
    told = [int(each) for each in row.split()]
    if len(told) < _COLUMNS:
        return None
    reads, read_ms, writes, write_ms, waiting = told[0], told[3], told[4], told[7], told[8]
    return _Stat(
        ended=reads + writes,
        done=reads + writes + sum(told[11:12]) + sum(told[15:16]),
        milliseconds=read_ms + write_ms,
        waiting=waiting,
    )
