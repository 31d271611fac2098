"""The notes that say which GPUs were reset in this boot: a reset leaves no other trace for sure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESETS: Final = "run/nodemend/gpu-resets"
"""Where they lie below the host's root: a file a GPU, gone with the boot like all in /run."""


def note(root: Path, uuids: Iterable[str]) -> None:
    """Note that GPUs were reset just now, and are well.

    Raises:
        OSError: the notes cannot be written.
    """
    folder = root / RESETS
    folder.mkdir(parents=True, exist_ok=True)
    for uuid in uuids:
        (folder / uuid).touch()


def noted(root: Path) -> Mapping[str, datetime]:
    """Return when each GPU was reset last, as far as somebody noted it."""
    try:
        files = sorted((root / RESETS).iterdir())
        return {file.name: datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files}
    except OSError:
        return {}
