"""What makes a machine go down: the last words of its disks, and the key that asks nobody."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.guard import Guard, HungError

TRIGGER: Final = "proc/sysrq-trigger"
"""Where the kernel takes its own commands, below the host's root."""

_BREATH: Final = 2.0
"""Seconds that the kernel is given for one command before the next."""


async def sync(patience: timedelta) -> bool:
    """Write to the disks what waits for it; false where that does not end within the patience."""
    try:
        await Guard().call("sync", os.sync, patience=patience)
    except HungError:
        return False
    return True


async def reset(trigger: Path) -> None:
    """Let the kernel start anew at once: disks written and made read-only as far as they answer.

    Raises:
        OSError: the kernel takes no command there.
    """
    for command in "sub":
        await asyncio.to_thread(trigger.write_text, command)
        await asyncio.sleep(_BREATH)
