"""What makes a machine go down: the last words of its disks, and the key that asks nobody."""

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.guard import Guard, HungError

TRIGGER: Final = "proc/sysrq-trigger"
"""Where the kernel takes its own commands, below the host's root."""

_BREATH: Final = 2.0
"""Seconds that the kernel is given for one command before the next."""


async def sync(
    patience: timedelta, spawn: Callable[[threading.Thread], None] = threading.Thread.start
) -> bool:
    """Write to the disks what waits for it; false where that does not end within the patience.

    Where the machine has no thread left for it, that is one more reason to go on.
    """
    try:
        await Guard(spawn).call("sync", os.sync, patience=patience)
    except (HungError, RuntimeError):
        return False
    return True


async def reset(trigger: Path) -> None:
    """Let the kernel start anew at once: disks written and made read-only as far as they answer.

    Raises:
        OSError: the kernel takes no command there.
    """
    for command in "sub":
        _order(trigger, command)
        await asyncio.sleep(_BREATH)


def _order(trigger: Path, command: str) -> None:
    """Write in no thread: there may be none left, and the kernel takes a command at once."""
    trigger.write_text(command)
