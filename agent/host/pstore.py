"""What the kernel said as it died, copied once to where it outlasts the firmware's few kilobytes.

The firmware keeps it until somebody makes room, and systemd until somebody tidies up. The copies
are few: those of the oldest crashes give way to those of newer ones.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.host import attributes

FOLDERS: Final = ("sys/fs/pstore", "var/lib/systemd/pstore")
MOST: Final = 64
"""How many copies there may be: of one crash there are up to a dozen parts."""
MOST_BYTES: Final = 4 << 20
"""How large all of them may be."""
LARGEST: Final = 256 << 10
"""How much of one record is copied: its end, where the kernel says why."""
_DMESG: Final = "dmesg"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    path: Path
    size: int


def keep(root: Path, into: Path) -> None:
    """Copy the records that are new, and forget the oldest copies of too many.

    Args:
        root: Where the host's root directory is mounted.
        into: Where copies lie; it is made when there is something to copy.

    Raises:
        OSError: a record cannot be read, or a copy not be written.
    """
    found = {name: each for folder in FOLDERS for name, each in _found(root / folder)}
    if not found:
        return
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    copies = {each.name: each.stat().st_size for each in into.glob("[!.]*")}
    wanted = _newest({**{name: each.size for name, each in found.items()}, **copies})
    for name in copies.keys() - wanted:
        (into / name).unlink()
    for name in sorted((found.keys() & wanted) - copies.keys()):
        with contextlib.suppress(FileNotFoundError):  # somebody puts it away just now
            _copy(found[name].path, into / name)


def _found(folder: Path) -> Iterator[tuple[str, _Record]]:
    """Give the records of a folder and of those in it, each under the time when it was made."""
    for name in attributes.names(folder) or ():
        path = folder / name
        inner = attributes.names(path) if path.is_dir() else None
        parts = [(name, path)] if inner is None else [(f"{name}-{n}", path / n) for n in inner]
        for called, part in parts:
            if _DMESG in part.name and part.is_file():
                status = part.stat()
                made = datetime.fromtimestamp(status.st_mtime, UTC)
                size = min(status.st_size, LARGEST)
                yield f"{made:%Y%m%dT%H%M%S}-{called}", _Record(path=part, size=size)


def _newest(sizes: Mapping[str, int]) -> frozenset[str]:
    """Choose as many as there is room for; names begin with times."""
    chosen, room = list[str](), MOST_BYTES
    for name in sorted(sizes, reverse=True)[:MOST]:
        room -= sizes[name]
        if room < 0:
            break
        chosen.append(name)
    return frozenset(chosen)


def _copy(record: Path, copy: Path) -> None:
    """Copy a record as a whole or not at all."""
    with record.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LARGEST))
        content = file.read(LARGEST)
    draft = copy.with_name(f".{copy.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(copy)
