"""Which pod a process belongs to, as its control group says it; and which belong to none."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

_POD: Final = re.compile(
    r"[/-]pod(?P<uid>[0-9a-f]{8}(?:[_-][0-9a-f]{4}){3}[_-][0-9a-f]{12}|[0-9a-f]{32})(?=[./]|$)",
    re.MULTILINE,
)
"""With underscores where systemd made the group; without either, it is a static pod's hash."""


def pods(procfs: Path, pids: Collection[int]) -> Mapping[int, str]:
    """Return the UIDs of pods by process; those that are gone, or in none, are left out."""
    found = {pid: _pod(procfs / str(pid) / "cgroup") for pid in pids}
    return {pid: uid for pid, uid in found.items() if uid}


def own(procfs: Path, pids: Collection[int]) -> frozenset[int]:
    """Return those processes and threads that are there and belong to no pod."""
    return frozenset(pid for pid in pids if _pod(procfs / str(pid) / "cgroup") == "")


def _pod(path: Path) -> str | None:
    """Return the UID of a pod, nothing of what is in none, None of what cannot be asked."""
    try:
        group = path.read_text()
    except OSError:
        return None  # it has ended, or is not ours to see
    found = _POD.search(group)
    return found["uid"].replace("_", "-") if found else ""
