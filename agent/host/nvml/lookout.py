"""Looks at driver and bus from outside, from time to time, and never waits for either."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.host.guard import Guard, HungError
from agent.host.nvml import bus, release
from agent.host.nvml.bus import Glance, Scan
from agent.host.nvml.settings import Nvml

_GLANCE: Final = 5.0
_SCAN: Final = 15.0
_PATIENCE: Final = timedelta(seconds=2)
_OLD: Final = 60.0
"""Seconds after which what a scan of the bus said is no longer taken for the present."""
_NEVER: Final = float("-inf")


class Lookout:
    """Remembers what was seen last.

    Args:
        settings: Where NVML may lie.
        root: Where the host's root directory is mounted.
    """

    def __init__(self, settings: Nvml, root: Path) -> None:
        self.glance, self.scan = Glance(), Scan()
        self._settings, self._root, self._guard = settings, root, Guard()
        self._glanced_at = self._scanned_at = _NEVER
        self._unseen_since: float | None = None

    @property
    def has_looked(self) -> bool:
        """Say whether anything was seen yet."""
        return self._glanced_at > _NEVER

    @property
    def module(self) -> str:
        """Return which driver there is: `?` where only NVML can tell, nothing where none is."""
        hidden = "?" if self._settings.is_explicit and self.glance.library else ""
        return self.glance.module or hidden

    def is_blind(self, now: float) -> bool:
        """Say whether the bus has not been seen for a while, though we looked."""
        return self._unseen_since is not None and now - self._unseen_since > _OLD

    def is_released(self, now: datetime) -> bool:
        """Say whether somebody wants NVML closed, and wanted so a short while ago."""
        wished = self.glance.released_at
        return wished is not None and abs(now.timestamp() - wished) < release.EXPIRY.total_seconds()

    def next_at(self, *, is_alert: bool) -> float:
        """Return when it is time to look again: where a driver is, it may go away."""
        return self._glanced_at + (_GLANCE if is_alert else _SCAN)

    def hasten(self) -> None:
        """Look again at the next opportunity: something has changed."""
        self._glanced_at = _NEVER

    async def look(self, now: float) -> None:
        """Look; what is not seen soon, or for want of something of our own, is as it was."""
        self._glanced_at = now
        if self._unseen_since is None:
            self._unseen_since = now
        root, folders = self._root, self._settings.libraries
        with contextlib.suppress(HungError, OSError):
            self.glance = await self._guard.call(
                "look for a driver", lambda: bus.glance(root, folders), patience=_PATIENCE
            )
            if now - self._scanned_at >= _SCAN:
                self._scanned_at = now
                self.scan = await self._guard.call(
                    "scan of the bus", lambda: bus.scan(root), patience=_PATIENCE
                )
                self._unseen_since = now
