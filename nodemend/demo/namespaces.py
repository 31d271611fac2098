"""Mount namespaces of their own for the demo's programs: what they mount, nobody else sees."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PROBE_PATIENCE: Final = 10.0


class NoNamespaceError(Exception):
    """This machine does not let us mount a filesystem, not even in a namespace of our own."""


async def within(script: str, *places: Path) -> Sequence[str]:
    """Find the command that runs another one in a mount namespace after mounting something.

    Args:
        script: What the shell does first; `"$1"` is the first of the places.
        places: Where it mounts something, or what.

    Raises:
        NoNamespaceError: says what was tried and what came of it.
    """
    if shutil.which("unshare") is None:
        raise NoNamespaceError("expected the command unshare (Debian: util-linux), found none")
    tried = []
    whole = f'{script} && shift {len(places)} && exec "$@"'
    ways = [["unshare", "--mount"]] if os.geteuid() == 0 else []
    for way in (*ways, ["unshare", "--user", "--map-root-user", "--mount"]):
        command = [*way, "sh", "-c", whole, "sh", *map(str, places)]
        complaint = await _complaint([*command, "true"])
        if complaint is None:
            return command
        tried.append(f"{' '.join(way)}: {complaint}")
    raise NoNamespaceError(
        "the demo mounts what nobody else sees, and this machine lets it mount nothing; "
        f"run it as root or allow user namespaces ({'; '.join(tried)})"
    )


async def _complaint(command: Sequence[str]) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_PROBE_PATIENCE):
        _, said = await process.communicate()
    return None if process.returncode == 0 else said.decode(errors="replace").strip()
