"""Shows the demo as it goes, four times a second, in a terminal."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from rich.console import Console
from rich.live import Live

from nodemend.demo import view
from nodemend.demo.picture import Picture

_PACE: Final = 0.25


async def show(picture: Callable[[], Picture], console: Console) -> NoReturn:
    """Draw the newest picture again and again until cancelled; then what was there comes back."""
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        while True:
            width, height = console.size
            screen.update(view.drawn(picture(), width, height), refresh=True)
            await asyncio.sleep(_PACE)
