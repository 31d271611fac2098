"""Where a command writes: as wide as the terminal, and into a pipe as wide as it needs."""

import os
import sys
from collections.abc import Callable
from typing import Final

from rich.console import Console, RenderableType

_PIPE: Final = 10_000
"""Wide enough that nothing is cut or wrapped that a script would have to put together again."""


class Paper(Console):
    """A console that says so when nobody reads any more, as behind `| head`.

    Args:
        width: How many columns; as many as the terminal has by default.
    """

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width=width, highlight=False)
        self.unread: Callable[[], None] = _end
        """Is called when nobody reads any more; what is written from then on is lost."""

    def on_broken_pipe(self) -> None:
        """Write into nothing from now on, and say so."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self.unread()


def console() -> Paper:
    """Return a way to write for whoever reads our standard output."""
    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Paper(width=_PIPE if free else None)


def put(what: RenderableType, to: Console) -> None:
    """Write something without the blanks that fill its lines up."""
    with to.capture() as drawn:
        to.print(what)
    for line in drawn.get().splitlines():
        to.file.write(f"{line.rstrip()}\n")


def _end() -> None:
    raise SystemExit(1)
