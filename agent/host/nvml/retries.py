"""When a worker may be started again, after what became of the one before."""

from typing import Final

LONGEST: Final = 600.0
TRIAL: Final = 600.0
"""Seconds after which a driver that hangs as a whole is tried again."""
_FIRST: Final = 1.0
_REFUSED: Final = 60.0
"""The longest pause while NVML refuses: a driver that is being exchanged is soon back."""
_STUCK: Final = 60.0
_BARRED: Final = 60.0
_SOUND: Final = 600.0
"""Seconds after which a worker that fails is held for one that was well."""


class Retries:
    """Spaces the starts of workers ever wider while they fail."""

    def __init__(self) -> None:
        self._due_at = float("-inf")
        self._trial_at = float("-inf")
        self._began_at = float("-inf")
        self._failures = 0

    def due_at(self) -> float:
        """Return when a worker may be started at the earliest."""
        return self._due_at

    def is_due(self, now: float) -> bool:
        """Say whether a worker may be started."""
        return now >= self._due_at

    def is_trial_due(self, now: float) -> bool:
        """Say whether a driver that hangs may be tried."""
        return now >= self._trial_at

    def began(self, now: float) -> None:
        """Take note that one is started."""
        self._began_at = now

    def reset(self) -> None:
        """Start at once: it is another driver."""
        self._due_at, self._trial_at, self._failures = float("-inf"), float("-inf"), 0

    def failed(self, now: float) -> None:
        """Take note that one ended by itself."""
        self._pause(now, _FIRST, LONGEST)

    def refused(self, now: float) -> None:
        """Take note that NVML could not be opened, or is dead."""
        self._pause(now, _FIRST, _REFUSED)

    def barred(self, now: float) -> None:
        """Take note that we may not open NVIDIA's devices: rights seldom come later."""
        self._pause(now, _BARRED, LONGEST)

    def stuck(self, now: float) -> None:
        """Take note that one did not answer, though nobody knows whose doing that is."""
        self._pause(now, _STUCK, LONGEST)

    def lost(self, now: float) -> None:
        """Take note that one hangs: another one may ask the other GPUs, but not the driver."""
        self._due_at, self._trial_at = now, now + TRIAL

    def _pause(self, now: float, first: float, longest: float) -> None:
        if now - self._began_at > _SOUND:
            self._failures = 0
        self._due_at = now + min(first * 2.0**self._failures, longest)
        self._failures += 1
