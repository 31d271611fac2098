"""What a host is to have mounted at all times."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.host import attributes

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_COLUMNS: Final = 4
_AT_WILL: Final = frozenset({"noauto", "x-systemd.automount", "comment=systemd.automount"})
"""Mounted by hand, or when somebody looks; then it is no fault that it is not."""


def mounts(root: Path) -> tuple[str, ...]:
    """Read the mount points in /etc/fstab below a root that are there from boot on."""
    return tuple(dict.fromkeys(_mounts(attributes.text(root / "etc/fstab") or "")))


def _mounts(table: str) -> Iterator[str]:
    for columns in (line.split() for line in table.splitlines()):
        if len(columns) < _COLUMNS or columns[0].startswith("#"):
            continue
        mount = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), columns[1])
        if mount.startswith("/") and _AT_WILL.isdisjoint(columns[3].split(",")):
            yield mount.rstrip("/") or "/"
