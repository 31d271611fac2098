"""What many may wait for at once, each for the next time that it happens."""

import asyncio


class Bell:
    """Rings for all who listen, and is heard later by those who were busy at that moment."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self._rings = 0
        self._heard: dict[str, int] = {}

    def ring(self) -> None:
        """Wake all who wait."""
        self._rings += 1
        self._next.set()
        self._next = asyncio.Event()

    async def rung(self, who: str) -> None:
        """Return when it rings next, or at once if it rang since somebody was told so last."""
        while self._heard.get(who, 0) == self._rings:
            await self._next.wait()
        self._heard[who] = self._rings
