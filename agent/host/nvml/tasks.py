"""In which state a thread is that does not come back, and where in the kernel it sleeps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEEP: Final = "D"
"""Asleep where nothing can wake it but what it waits for, no signal either."""

_NO_CALL: Final = "-1 "
"""What stands in place of a system call's number where a thread sleeps, but made none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A thread, as the kernel sees it."""

    state: str = ""
    """One letter, as in ps(1); empty where there is no such thread."""
    wchan: str = ""
    syscall: str = ""

    @property
    def is_deep(self) -> bool:
        """Say whether nothing can end it."""
        return self.state == DEEP

    @property
    def is_in_call(self) -> bool:
        """Say whether it is a call that nothing can end, and not memory read back from a disk."""
        return self.is_deep and not self.syscall.startswith(_NO_CALL)


def read(process: int, thread: int) -> Task:
    """Read the state of one thread: not of its process, whose other threads may do well."""
    folder = Path(f"/proc/{process}/task/{thread}")
    stat = _text(folder / "stat")
    wchan = _text(folder / "wchan")
    return Task(
        state=stat.rpartition(")")[2].split()[0] if ")" in stat else "",
        wchan="" if wchan == "0" else wchan,
        syscall=_text(folder / "syscall"),
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
