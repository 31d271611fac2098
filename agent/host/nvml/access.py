"""Whether NVML can be used: which driver there is, who wants it closed, and when to try again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agent.host.nvml import life, telling
from agent.host.nvml.custody import Lost, Now
from agent.host.nvml.facts import Driver, Hang
from agent.host.nvml.life import Life
from agent.host.nvml.lookout import Lookout
from agent.host.nvml.retries import Retries
from agent.host.nvml.settings import Nvml
from agent.host.nvml.telling import MOST_LOST, Said
from agent.host.nvml.ways import NO_PERMISSION
from nodehealth.kit.clocks import Clock

_FRESH: Final = 60.0
"""Seconds for which an answer is fresh: as long as it takes to lose a worker and start another."""


class Access:
    """Knows the driver, and what became of the workers that asked it.

    Args:
        settings: How the driver is asked.
        root: Where the host's root directory is mounted.
        now: The event loop's time.
        clock: The time of day.
    """

    def __init__(self, settings: Nvml, root: Path, *, now: Now, clock: Clock) -> None:
        self._settings, self._now, self._clock = settings, now, clock
        self.lookout, self._retries = Lookout(settings, root), Retries()
        self.life, self.said = Life(), Said()
        self.is_open = False
        """Whether a worker has NVML open."""
        self._worker_life: int | None = None
        """Which driver the worker has opened NVML of, or is about to."""
        self._was_released = False

    @property
    def fresh(self) -> float:
        """For how many seconds an answer is fresh."""
        return max(_FRESH, 4 * self._settings.interval.total_seconds())

    @property
    def is_released(self) -> bool:
        """Say whether somebody wants NVML closed."""
        return self.lookout.is_released(self._clock())

    @property
    def is_wanted(self) -> bool:
        """Say whether there is a driver that may be asked."""
        return bool(self.life.module) and not self.is_released

    @property
    def is_of_another(self) -> bool:
        """Say whether a worker has, or opens, NVML of a driver that is there no more."""
        return self._worker_life not in {None, self.life.number}

    def looks_at(self) -> float:
        """Return when it is time to look: often once a driver was seen, for it may go away."""
        return self.lookout.next_at(is_alert=self.life.number > 0)

    async def look(self) -> bool:
        """See what the kernel shows, if it is time; say whether every GPU is to be asked again."""
        now = self._now()
        if now < self.looks_at():
            return False
        await self.lookout.look(now)
        is_given_back = self._was_released and not self.is_released  # somebody has reset a GPU
        self._was_released = self.is_released
        before = self.life.number
        self.life = life.glanced(self.life, self.lookout.module, now)
        if self.life.number == before:
            return is_given_back
        self._retries.reset()
        self.said = Said()
        return True

    def may_begin(self, lost: Sequence[Lost]) -> bool:
        """Say whether a worker may be started beside those that are lost."""
        now = self._now()
        if not self.is_wanted or len(lost) >= MOST_LOST:
            return False
        is_tried = any(not each.pci for each in lost) and not self._retries.is_trial_due(now)
        return not is_tried and self._retries.is_due(now)

    def begins_at(self) -> float:
        """Return when a worker may be started at the earliest."""
        return self._retries.due_at()

    def begin(self) -> None:
        """Take note that a worker is started."""
        self._worker_life, self.is_open = self.life.number, False
        self._retries.began(self._now())

    def leave(self) -> None:
        """Take note that there is no worker any more."""
        self._worker_life, self.is_open = None, False

    def opened(self, system: Mapping[str, Any]) -> None:
        """Take note that NVML is open, and what it said of itself."""
        self.is_open, self.said.system = True, system
        self.life = life.opened(self.life)

    def refused(self, code: int) -> bool:
        """Take note that NVML cannot be used; say whether every GPU is to be asked again."""
        before, now = self.life.number, self._now()
        self.life = life.refused(self.life, code, now)
        if code == NO_PERMISSION:
            self._retries.barred(now)
        else:
            self._retries.refused(now)
        self.lookout.hasten()
        if self.life.number == before:
            return False
        self.said = Said()
        return True

    def died(self) -> None:
        """Take note that the worker ended by itself."""
        self.leave()
        self._retries.failed(self._now())

    def missed(self, hang: Hang) -> None:
        """Take note that the worker is given up for a call that does not return."""
        self.leave()
        if hang.is_proven:
            self._retries.lost(self._now())
        else:
            self._retries.stuck(self._now())
            self.said.stuck = hang

    def standing(self, lost: Sequence[Lost], *, is_vacant: bool) -> tuple[Driver, int, Hang | None]:
        """Say how the driver stands, with its code, or with the call that hangs."""
        if self.life.module and self.is_released and is_vacant:
            return Driver.RELEASED, 0, None
        hung = telling.hung(lost, is_answered=self.is_open)
        if hung is not None:
            return Driver.HUNG, 0, hung
        return telling.standing(self.life, self.said, self._now(), fresh=self.fresh)
