"""Keeps one NVML worker at work, and knows what it means when it does not come back.

The GPU whose call hangs is left alone until that call returns, while another worker asks the
others; when that one hangs too, it is the driver. At most two workers are lost at any time.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.host.bell import Bell
from agent.host.nvml import life, telling
from agent.host.nvml.counts import Counts
from agent.host.nvml.custody import Custody, Now
from agent.host.nvml.facts import Driver, Gpus, Hang, NvmlEvent
from agent.host.nvml.happenings import Answered, Died, Happening, Missed, Overrun, Told
from agent.host.nvml.life import Life
from agent.host.nvml.lookout import Lookout
from agent.host.nvml.process import Line, Starter
from agent.host.nvml.retries import Retries
from agent.host.nvml.roll import Roll, Turn
from agent.host.nvml.settings import Nvml
from agent.host.nvml.telling import MOST_LOST, Said
from agent.host.nvml.ways import NO_PERMISSION
from agent.host.stream import Stream
from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock

_FRESH: Final = 60.0
"""Seconds for which an answer is fresh: as long as it takes to lose a worker and start another."""
_RESTING_XIDS: Final = frozenset({79, 119, 120})
"""The GPU fell off the bus, or its firmware does not answer."""
_XID: Final = 0x8
_UNKNOWN_ERROR: Final = 999


class Supervisor:
    """Knows the GPUs of the machine.

    Args:
        settings: How the driver is asked.
        root: Where the host's root directory is mounted.
        starter: Starts workers.
        now: The event loop's time.
        clock: The time of day.
        events: Where goes what NVML tells without being asked.
        counts: What is counted for people.
    """

    def __init__(
        self,
        settings: Nvml,
        *,
        root: Path,
        starter: Starter,
        now: Now,
        clock: Clock,
        events: Stream[NvmlEvent],
        counts: Counts,
    ) -> None:
        self._settings, self._now, self._clock = settings, now, clock
        self.events, self.counts, self.changed = events, counts, Bell()
        self._shown: object = None
        self._lookout, self._wake, self._retries = (
            Lookout(settings, root),
            asyncio.Event(),
            Retries(),
        )
        self._roll, self._life, self._said = Roll(settings), Life(), Said()
        self._worker_life: int | None = None
        """Which driver the worker has opened NVML of, or is about to."""
        self._is_open = self._was_released = False
        self.custody = Custody(
            starter=starter, now=now, happened=self._happened, wake=self._wake.set, counts=counts
        )

    def gpus(self) -> Gpus:
        """Say what is known at this moment."""
        now = self._now()
        driver, code, hang = self._standing(now)
        is_up = driver is Driver.UP
        hung = {each.pci: each.hang for each in self.custody.lost if each.pci}
        return Gpus(
            bus=self._lookout.scan.bus,
            driver=driver,
            code=code,
            hang=hang,
            system=self._said.system,
            count=self._said.count if is_up else None,
            cards=self._roll.cards(
                hung={} if driver is Driver.HUNG else hung, is_up=is_up, since=now - self._fresh
            ),
        )

    def missing(self) -> Mapping[str, Sequence[str]]:
        """Say which ways of asking there are not with this driver, by GPU."""
        return self._roll.unsupported(self._life.number)

    def rest(self, pci: str) -> None:
        """Ask a GPU nothing for a while: the driver said that calls to it may not return."""
        self._roll.rest(pci, self._now())
        self._wake.set()

    def hurry(self, pci: str) -> None:
        """Ask a GPU at once: something happened to it, and its driver may want something done."""
        self._roll.hurry(pci, self._now())
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled, and then let the worker end."""
        try:
            while True:
                await self._turn()
                await self._pause()
        finally:
            await self.close()

    async def sample(self, patience: timedelta) -> None:
        """Ask every GPU once, or find out that it cannot be asked; give up in the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience.total_seconds()):
                await self._turn()
                while not self._has_sampled():
                    await self._pause()
                    await self._turn()

    async def turn(self) -> None:
        """Do all that is due now."""
        await self._look()
        await self.custody.turn()
        if self._is_released():
            self._roll.forget()
        if not self._is_wanted() or self._worker_life not in {None, self._life.number}:
            self._dismiss()
        if self._may_begin():
            self._worker_life, self._is_open = self._life.number, False
            self._retries.began(self._now())
            self.custody.begin(self._lookout.glance.library)
        self._ask()
        self._show()

    @property
    def is_at_work(self) -> bool:
        """Say whether anything is under way, or due, at this moment."""
        custody = self.custody
        return custody.is_busy or (custody.is_vacant and self._may_begin())

    async def close(self) -> None:
        """Let the worker end."""
        await self.custody.close()

    @property
    def _fresh(self) -> float:
        return max(_FRESH, 4 * self._settings.interval.total_seconds())

    async def _look(self) -> None:
        """See what the kernel shows of driver and bus."""
        now = self._now()
        if now < self._lookout.next_at(is_alert=self._is_alert):
            return
        await self._lookout.look(now)
        self._see_release()
        scan = self._lookout.scan
        self._roll.know(scan.bus.gpus, scan.passed_on)
        before = self._life.number
        self._life = life.glanced(self._life, self._lookout.module, now)
        if self._life.number != before:
            self._retries.reset()
            self._renewed()

    @property
    def _is_alert(self) -> bool:
        """Say whether a driver was ever seen, so that it may go away."""
        return self._life.number > 0

    def _see_release(self) -> None:
        """Ask all of them again when NVML may be used again: somebody has reset a GPU."""
        is_released = self._is_released()
        if self._was_released and not is_released:
            self._roll.wake()
        self._was_released = is_released

    def _renewed(self) -> None:
        """Forget what was learnt of the driver that was there before."""
        self._roll.wake()
        self._said = Said()

    def _is_released(self) -> bool:
        return self._lookout.is_released(self._clock())

    def _is_wanted(self) -> bool:
        return bool(self._life.module) and not self._is_released()

    def _may_begin(self) -> bool:
        now, lost = self._now(), self.custody.lost
        if not self._is_wanted() or not self.custody.is_vacant or len(lost) >= MOST_LOST:
            return False
        is_tried = any(not each.pci for each in lost) and not self._retries.is_trial_due(now)
        return not is_tried and self._retries.is_due(now)

    def _dismiss(self) -> None:
        self.custody.end()
        self._worker_life, self._is_open = None, False

    def _ask(self) -> None:
        """Give the worker its next batch, if it has none."""
        if not self.custody.is_idle:
            return
        now, said = self._now(), self._said
        if not self._is_open:
            devices = self._lookout.glance.devices
            self.custody.ask("init", unsupported=self.missing(), devices=devices)
        elif said.count is not None and said.listed != said.count and self._is_bus_short():
            self.custody.ask("list")
        elif now - said.counted_at >= self._settings.interval.total_seconds():
            said.counted_at = now
            self.custody.ask("count")
        elif (turn := self._roll.next(now, self._life.number, self._skipped())) is not None:
            self._roll.asked(turn, now)
            self._ask_gpu(turn)

    def _ask_gpu(self, turn: Turn) -> None:
        self.custody.ask(
            "gpu", turn=turn, pci=turn.pci, uuid=turn.uuid, tiers=turn.tiers, links=turn.links
        )

    def _is_bus_short(self) -> bool:
        """Say whether NVML has GPUs that are not to be seen on the bus."""
        return len(self._lookout.scan.bus.gpus) < (self._said.count or 0)

    def _skipped(self) -> frozenset[str]:
        return frozenset(each.pci for each in self.custody.lost)

    def _happened(self, happening: Happening) -> None:
        match happening:
            case Answered(asked=asked, line=line):
                self._answered(asked.what, asked.turn, line, is_slow=asked.is_slow)
            case Overrun(asked=asked):
                self._roll.slow(asked.pci, is_slow=True)
            case Missed(pci=pci, hang=hang):
                self._missed(pci, hang)
            case Died():
                self._worker_life, self._is_open = None, False
                self._retries.failed(self._now())
            case Told(line=line):
                self._told(line)

    def _answered(self, what: str, turn: Turn | None, line: Line, *, is_slow: bool) -> None:
        now, code = self._now(), line.get("code", 0)
        if code in life.DEAD and (what != "gpu" or code != _UNKNOWN_ERROR):
            self._refused(code)
            return
        self._said.at, self._said.stuck = now, None
        if what == "init":
            self._opened(line)
        elif what == "count":
            self._said.count = line.get("count")
        elif what == "list":
            self._said.listed = self._said.count or 0
            self._roll.know(line.get("gpus", ()), self._lookout.scan.passed_on)
        elif turn is not None:
            self._roll.answered(turn, line, now, self._life.number)
            self._roll.slow(turn.pci, is_slow=is_slow)
            self._sampled(turn, line)
            self._show()
        self._ask()
        if self.custody.is_idle:
            self._wake.set()

    def _opened(self, line: Line) -> None:
        code = line.get("code", 0)
        if code:
            self._refused(code)
            return
        self._is_open, self._said.system = True, line["system"]
        self._life = life.opened(self._life)

    def _refused(self, code: int) -> None:
        """Close NVML: it cannot be used, or it is no longer the driver's own."""
        before = self._life.number
        self._life = life.refused(self._life, code, self._now())
        if self._life.number != before:
            self._renewed()
        if code == NO_PERMISSION:
            self._retries.barred(self._now())
        else:
            self._retries.refused(self._now())
        self._lookout.hasten()
        self._dismiss()
        self._wake.set()

    def _sampled(self, turn: Turn, line: Line) -> None:
        if "seconds" in line:
            self.counts.sampled(turn.tiers, line["seconds"], line.get("latency", 0))

    def _missed(self, pci: str, hang: Hang) -> None:
        now = self._now()
        self._worker_life, self._is_open = None, False
        if hang.is_proven:
            self._roll.hung(pci, now)
            self._retries.lost(now)
        else:
            self._retries.stuck(now)
            self._roll.stuck(pci, hang)
            self._said.stuck = hang
        self._wake.set()

    def _told(self, line: Line) -> None:
        if "event" not in line:
            self.counts.event_sets_lost += line.get("events") == "lost"
            return
        kind, pci, data = line["event"], line["pci"], line["data"]
        self.events.put(
            NvmlEvent(kind=kind, pci=pci, uuid=line["uuid"], data=data, at=self._clock())
        )
        if kind == _XID and data in _RESTING_XIDS:
            self.rest(pci)
        else:
            self.hurry(pci)

    def _show(self) -> None:
        """Tell who waits for it that the driver or a GPU stands otherwise than before."""
        gpus = self.gpus()
        shown = (gpus.driver, gpus.code, list(map(telling.pressing, gpus.cards)))
        if shown != self._shown:
            self._shown = shown
            self.changed.ring()

    def _standing(self, now: float) -> tuple[Driver, int, Hang | None]:
        is_released = bool(self._life.module) and self._is_released() and self.custody.is_vacant
        if is_released:
            return Driver.RELEASED, 0, None
        hung = telling.hung(self.custody.lost, is_answered=self._is_open)
        if hung is not None:
            return Driver.HUNG, 0, hung
        return telling.standing(self._life, self._said, now, fresh=self._fresh)

    async def _turn(self) -> None:
        self._wake.clear()
        await loops.survived(self.turn, name="nvml")

    async def _pause(self) -> None:
        """Wait until something is due, or happens."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._next_at() - self._now())):
                await self._wake.wait()

    def _has_sampled(self) -> bool:
        """Say whether nothing more is to be learnt at this moment."""
        if not self._lookout.has_looked or self.custody.is_busy:
            return False
        return self._is_open or not self._is_wanted() or bool(self._life.code or self._said.stuck)

    def _next_at(self) -> float:
        """Return when the next turn must be taken."""
        glance = self._lookout.next_at(is_alert=self._is_alert)
        due = float("inf")
        if self.custody.is_idle:
            due = min(self._roll.next_at(self._skipped()), glance)
        elif self.custody.is_vacant and self._is_wanted():
            due = self._retries.due_at()
        return min(glance, max(due, self._now()), self.custody.next_at())
