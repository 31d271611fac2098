"""How the machine's last boot ended: in order, or without anybody having asked for it.

Orderly ends are written down by the system, in wtmp; what the kernel said in its last moments is
kept by the firmware and found in pstore, or where systemd puts it away at the next start.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes, pstore

_WTMP: Final = "var/log/wtmp"
_LARGEST: Final = 9600 * 400
"""As many bytes of the end of wtmp as are read: whole records, whichever size they have."""
_SIZES: Final = (384, 400)
"""Of a record: where time has 32 bits for the sake of old programs, and where it has 64."""
_RUN_LEVEL: Final = 1
_BOOT: Final = 2
_KINDS: Final = frozenset(range(10))
_SHUTDOWN: Final = b"shutdown"

_BEFORE: Final = 3600
"""Seconds before the boot in which a record of the crash may have been made."""
_AFTER: Final = 900
"""Seconds after it in which it may have been put away, or the boot been written down."""
_IDENTITY: Final = ("etc/machine-id", "etc/ssh/ssh_host_ed25519_key")
"""What a machine gets when it boots for the first time: before that, its disk was another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known of the end of the boot before this one."""

    is_orderly: bool | None
    """None where nobody wrote down ends, or this machine has not ended yet."""
    records: tuple[str, ...] = ()
    """Names of what the kernel left behind: it panicked, or at least had an oops."""


def ended(root: Path, *, is_known: bool = False) -> Ending:
    """Read how the boot before this one ended.

    Args:
        root: Where the host's root directory is mounted.
        is_known: Whether this machine is known to have been up before, however new its identity.

    Raises:
        OSError: something is there, but cannot be read.
    """
    began = _began(attributes.text(root / "proc/stat") or "")
    is_new = any(_since(root / each) >= (began or 0) - _AFTER for each in _IDENTITY)
    if began is None or (is_new and not is_known):
        return Ending(is_orderly=None)
    records = tuple(name for each in pstore.FOLDERS for name in _left(root / each, began))
    return Ending(is_orderly=_was_orderly(_tail(root / _WTMP), began), records=records)


def _began(stat: str) -> int | None:
    """Return when this boot began, by the clock as it is set now."""
    row = next((each for each in stat.splitlines() if each.startswith("btime ")), "")
    return int(row.split()[1]) if row else None


def _since(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _left(folder: Path, began: int) -> Iterator[str]:
    """Give what was left at about the time of the boot: older records are of other ends."""
    for name in attributes.names(folder) or ():
        is_ours = "dmesg" in name or name.isdigit()
        if is_ours and began - _BEFORE <= _since(folder / name) <= began + _AFTER:
            yield name


def _tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _LARGEST))
        return file.read()


def _was_orderly(wtmp: bytes, began: int) -> bool | None:
    """Find this boot's beginning, and behind it either an end or another beginning."""
    marks = list(_marks(wtmp))
    boots = [n for n, (kind, _) in enumerate(marks) if kind == _BOOT]
    if not boots or abs(marks[boots[-1]][1] - began) > _AFTER or boots[-1] == 0:
        return None
    return marks[boots[-1] - 1][0] == _RUN_LEVEL


def _marks(wtmp: bytes) -> Iterator[tuple[int, int]]:
    """Give beginnings and orderly ends, oldest first, each with its time."""
    size = next((each for each in _SIZES if _fits(wtmp, each)), len(wtmp) + 1)
    clock, at = ("<i", 340) if size == _SIZES[0] else ("<q", 344)
    for begin in range(0, len(wtmp) - size + 1, size):
        kind = _kind(wtmp, begin)
        user = wtmp[begin + 44 : begin + 76].rstrip(b"\0")
        if kind == _BOOT or (kind == _RUN_LEVEL and user == _SHUTDOWN):
            (time,) = struct.unpack_from(clock, wtmp, begin + at)
            yield kind, time


def _fits(wtmp: bytes, size: int) -> bool:
    """Say whether these are records of a size: there are only so many kinds of them."""
    kinds = {_kind(wtmp, begin) for begin in range(0, len(wtmp) - 1, size)}
    return len(wtmp) % size == 0 and kinds <= _KINDS


def _kind(wtmp: bytes, begin: int) -> int:
    (kind,) = struct.unpack_from("<h", wtmp, begin)
    return int(kind)
