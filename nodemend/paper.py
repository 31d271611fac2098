"""Where a command writes: as wide as the terminal, and into a pipe as wide as it needs."""

import os
import sys
from typing import Final

from rich.console import Console, RenderableType

_PIPE: Final = 10_000
"""Wide enough that nothing is cut or wrapped that a script would have to put together again."""


def console() -> Console:
    """Return a way to write for whoever reads our standard output."""
    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_PIPE if free else None, highlight=False)


def put(what: RenderableType, to: Console) -> None:
    """Write something without the blanks that fill its lines up."""
    with to.capture() as drawn:
        to.print(what)
    for line in drawn.get().splitlines():
        to.file.write(f"{line.rstrip()}\n")
