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
from agent.host.nvml.access import Access
from agent.host.nvml.counts import Counts
from agent.host.nvml.custody import Custody, Now
from agent.host.nvml.facts import Driver, Gpus, Hang, NvmlEvent
from agent.host.nvml.happenings import Answered, Died, Happening, Missed, Overrun, Told
from agent.host.nvml.process import Line, Starter
from agent.host.nvml.roll import Roll, Turn
from agent.host.nvml.settings import Nvml
from agent.host.stream import Stream
from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock

_RESTING_XIDS: Final = frozenset({79, 119, 120})
"""The GPU fell off the bus, or its firmware does not answer."""
_XID: Final = 0x8
_UNKNOWN_ERROR: Final = 999
_RECOVERY: Final = 1.0
"""Seconds between a turn that failed and the next."""


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
        self._access = Access(settings, root, now=now, clock=clock)
        self._roll, self._wake = Roll(settings), asyncio.Event()
        self.custody = Custody(
            starter=starter, now=now, happened=self._happened, wake=self._wake.set, counts=counts
        )

    def gpus(self) -> Gpus:
        """Say what is known at this moment."""
        access, lost = self._access, self.custody.lost
        driver, code, hang = access.standing(lost, is_vacant=self.custody.is_vacant)
        is_up = driver is Driver.UP
        hung = {each.pci: each.hang for each in lost if each.pci}
        return Gpus(
            bus=access.lookout.scan.bus,
            is_blind=access.lookout.is_blind(self._now()),
            driver=driver,
            code=code,
            hang=hang,
            system=access.said.system,
            count=access.said.count if is_up else None,
            cards=self._roll.cards(
                hung={} if driver is Driver.HUNG else hung,
                is_up=is_up,
                since=self._now() - access.fresh,
            ),
        )

    def missing(self) -> Mapping[str, Sequence[str]]:
        """Say which ways of asking there are not with this driver, by GPU."""
        return self._roll.unsupported(self._access.life.number)

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
        access = self._access
        if access.is_released:
            self._roll.forget()
        if not access.is_wanted or access.is_of_another:
            self._dismiss()
        if self._may_begin():
            access.begin()
            self.custody.begin(access.lookout.glance.library)
        self._ask()
        self._show()

    @property
    def is_at_work(self) -> bool:
        """Say whether anything is under way, or due, at this moment."""
        return self.custody.is_busy or self._may_begin()

    async def close(self) -> None:
        """Let the worker end."""
        await self.custody.close()

    async def _look(self) -> None:
        """See what the kernel shows of driver and bus."""
        if await self._access.look():
            self._roll.wake()
        scan = self._access.lookout.scan
        self._roll.know(scan.bus.gpus, scan.passed_on)

    def _may_begin(self) -> bool:
        return self.custody.is_vacant and self._access.may_begin(self.custody.lost)

    def _dismiss(self) -> None:
        self.custody.end()
        self._access.leave()

    def _ask(self) -> None:
        """Give the worker its next batch, if it has none."""
        if not self.custody.is_idle:
            return
        access, now, said = self._access, self._now(), self._access.said
        if not access.is_open:
            devices = access.lookout.glance.devices
            self.custody.ask("init", unsupported=self.missing(), devices=devices)
        elif said.count is not None and said.listed != said.count and self._is_bus_short():
            self.custody.ask("list")
        elif now - said.counted_at >= self._settings.interval.total_seconds():
            said.counted_at = now
            self.custody.ask("count")
        elif (turn := self._roll.next(now, access.life.number, self._skipped())) is not None:
            self._roll.asked(turn, now)
            self._ask_gpu(turn)

    def _ask_gpu(self, turn: Turn) -> None:
        self.custody.ask(
            "gpu", turn=turn, pci=turn.pci, uuid=turn.uuid, tiers=turn.tiers, links=turn.links
        )

    def _is_bus_short(self) -> bool:
        """Say whether NVML has GPUs that are not to be seen on the bus."""
        return len(self._access.lookout.scan.bus.gpus) < (self._access.said.count or 0)

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
                self._access.died()
            case Told(line=line):
                self._told(line)

    def _answered(self, what: str, turn: Turn | None, line: Line, *, is_slow: bool) -> None:
        now, code = self._now(), line.get("code", 0)
        if code in life.DEAD and (what != "gpu" or code != _UNKNOWN_ERROR):
            self._refused(code)
            return
        said = self._access.said
        said.at, said.stuck = now, None
        if what == "init":
            self._opened(line)
        elif what == "count":
            said.count = line.get("count")
        elif what == "list":
            said.listed = said.count or 0
            self._roll.know(line.get("gpus", ()), self._access.lookout.scan.passed_on)
        elif turn is not None:
            self._roll.answered(turn, line, now, self._access.life.number)
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
        self._access.opened(line["system"])

    def _refused(self, code: int) -> None:
        """Close NVML: it cannot be used, or it is no longer the driver's own."""
        if self._access.refused(code):
            self._roll.wake()
        self._dismiss()
        self._wake.set()

    def _sampled(self, turn: Turn, line: Line) -> None:
        if "seconds" in line:
            self.counts.sampled(turn.tiers, line["seconds"], line.get("latency", 0))

    def _missed(self, pci: str, hang: Hang) -> None:
        self._access.missed(hang)
        if hang.is_proven:
            self._roll.hung(pci, self._now())
        else:
            self._roll.stuck(pci, hang)
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

    async def _turn(self) -> None:
        self._wake.clear()
        if not await loops.survived(self.turn, name="nvml"):
            await asyncio.sleep(_RECOVERY)

    async def _pause(self) -> None:
        """Wait until something is due, or happens."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._next_at() - self._now())):
                await self._wake.wait()

    def _has_sampled(self) -> bool:
        """Say whether nothing more is to be learnt at this moment."""
        access = self._access
        if not access.lookout.has_looked or self.custody.is_busy:
            return False
        return access.is_open or not access.is_wanted or bool(access.life.code or access.said.stuck)

    def _next_at(self) -> float:
        """Return when the next turn must be taken."""
        glance = self._access.looks_at()
        due = float("inf")
        if self.custody.is_idle:
            due = min(self._roll.next_at(self._skipped()), glance)
        elif self.custody.is_vacant and self._access.is_wanted:
            due = self._access.begins_at()
        return min(glance, max(due, self._now()), self.custody.next_at())
