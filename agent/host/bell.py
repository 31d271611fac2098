"""What many may wait for at once, each for the next time that it happens."""

import asyncio


class Bell:
    """Rings for all who listen at that moment, and for nobody who comes later."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait."""
        self._next.set()
        self._next = asyncio.Event()

    async def rung(self) -> None:
        """Return when it rings next."""
        await self._next.wait()
