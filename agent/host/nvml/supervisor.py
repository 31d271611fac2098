"""Keeps one NVML worker at work, and knows what it means when it does not come back.

The GPU whose call hangs is left alone until that call returns, while another worker asks the
others; when that one hangs too, it is the driver. At most two workers are lost at any time.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from agent.host.guard import Guard, HungError
from agent.host.nvml import bus, life
from agent.host.nvml.bus import Glance, Scan
from agent.host.nvml.counts import Counts
from agent.host.nvml.custody import Custody, Now
from agent.host.nvml.facts import Driver, Gpus, Hang, NvmlEvent
from agent.host.nvml.happenings import Answered, Died, Happening, Missed, Overrun, Told
from agent.host.nvml.life import Life
from agent.host.nvml.process import Line, Starter
from agent.host.nvml.retries import Retries
from agent.host.nvml.roll import Roll, Turn
from agent.host.nvml.settings import Nvml
from agent.host.stream import Stream
from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock

RELEASE: Final = timedelta(minutes=10)
"""For how long NVML stays closed at somebody's wish."""
MOST_LOST: Final = 2
_GLANCE: Final = 5.0
_SCAN: Final = 15.0
_PATIENCE: Final = timedelta(seconds=2)
_FRESH: Final = 60.0
"""Seconds for which an answer is fresh: as long as it takes to lose a worker and start another."""
_RESTING_XIDS: Final = frozenset({79, 119, 120})
"""The GPU fell off the bus, or its firmware does not answer."""
_XID: Final = 0x8
_UNKNOWN_ERROR: Final = 999


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What was seen of the machine without NVML, and when."""

    glance: Glance = field(default_factory=Glance)
    scan: Scan = field(default_factory=Scan)
    glanced_at: float = float("-inf")
    scanned_at: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class _Said:
    """What NVML said of itself."""

    system: Mapping[str, Any] = field(default_factory=dict)
    count: int | None = None
    counted_at: float = float("-inf")
    listed: int = 0
    """For which number of GPUs they were listed."""
    at: float = float("-inf")
    """When it answered last, whatever it was asked."""
    stuck: Hang | None = None
    """A call that did not return, though nothing proves that it is the kernel's doing."""


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
        self._settings, self._root, self._now, self._clock = settings, root, now, clock
        self.events, self.counts = events, counts
        self._guard, self._wake, self._retries = Guard(), asyncio.Event(), Retries()
        self._roll, self._life, self._seen, self._said = Roll(settings), Life(), _Seen(), _Said()
        self._worker_life: int | None = None
        """Which driver the worker has opened NVML of, or is about to."""
        self._is_open = False
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
            bus=self._seen.scan.bus,
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

    async def run(self) -> None:
        """Watch until cancelled, and then let the worker end."""
        try:
            while True:
                await self._step()
        finally:
            await self.close()

    async def sample(self, patience: timedelta) -> None:
        """Ask every GPU once, or find out that it cannot be asked; give up in the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience.total_seconds()):
                while not self._has_sampled():
                    await self._step()

    async def turn(self) -> None:
        """Do all that is due now."""
        await self._look()
        await self.custody.turn()
        if not self._is_wanted() or self._worker_life not in {None, self._life.number}:
            self._dismiss()
        if self._may_begin():
            self._worker_life, self._is_open = self._life.number, False
            self._retries.began(self._now())
            self.custody.begin(self._seen.glance.library)
        self._ask()

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
        now, seen = self._now(), self._seen
        if now - seen.glanced_at < (_GLANCE if self._life.number else _SCAN):
            return
        seen.glanced_at = now
        folders = self._settings.libraries
        with contextlib.suppress(HungError):
            seen.glance = await self._guard.call(
                "look for a driver", lambda: bus.glance(self._root, folders), patience=_PATIENCE
            )
            if now - seen.scanned_at >= _SCAN:
                seen.scanned_at = now
                seen.scan = await self._guard.call(
                    "scan of the bus", lambda: bus.scan(self._root), patience=_PATIENCE
                )
                self._roll.know(seen.scan.bus.gpus, seen.scan.passed_on)
        before = self._life.number
        self._life = life.glanced(self._life, self._module(), now)
        if self._life.number != before:
            self._renewed()

    def _module(self) -> str:
        """Return which driver there is, as far as anything but NVML tells."""
        glance = self._seen.glance
        hidden = "?" if self._settings.is_explicit and glance.library else ""
        return glance.module or hidden

    def _renewed(self) -> None:
        """Forget what was learnt of the driver that was there before."""
        self._roll.wake()
        self._retries.reset()
        self._said = _Said()

    def _is_released(self) -> bool:
        """Say whether somebody wants NVML closed, and wanted so a short while ago."""
        wished = self._seen.glance.released_at
        return wished is not None and abs(self._clock().timestamp() - wished) < (
            RELEASE.total_seconds()
        )

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
            self.custody.ask("init", unsupported=self.missing())
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
        return len(self._seen.scan.bus.gpus) < (self._said.count or 0)

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
            self._roll.know(line.get("gpus", ()), self._seen.scan.passed_on)
        elif turn is not None:
            self._roll.answered(turn, line, now, self._life.number)
            self._roll.slow(turn.pci, is_slow=is_slow)
            self._sampled(turn, line)
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
        self._retries.refused(self._now())
        self._seen.glanced_at = float("-inf")
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

    def _standing(self, now: float) -> tuple[Driver, int, Hang | None]:
        """Say how the driver stands, with its code or its call that does not return."""
        lost = self.custody.lost
        if self._life.module and self._is_released() and self.custody.is_vacant:
            return Driver.RELEASED, 0, None
        wholly = [each.hang for each in lost if not each.pci or len(lost) >= MOST_LOST]
        if wholly and (len(lost) >= MOST_LOST or not self._is_open):
            return Driver.HUNG, 0, wholly[-1]
        driver, code = life.standing(self._life, now)
        if self._said.stuck is not None and now - self._said.at > self._fresh:
            return Driver.UNKNOWN, 0, self._said.stuck
        if driver is Driver.UP and now - self._said.at > self._fresh:
            return Driver.UNKNOWN, 0, None
        return driver, code, None

    async def _step(self) -> None:
        self._wake.clear()
        await loops.survived(self.turn, name="nvml")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._next_at() - self._now())):
                await self._wake.wait()

    def _has_sampled(self) -> bool:
        """Say whether nothing more is to be learnt at this moment."""
        if self._seen.glanced_at == float("-inf") or self.custody.is_busy:
            return False
        return self._is_open or not self._is_wanted() or bool(self._life.code or self._said.stuck)

    def _next_at(self) -> float:
        """Return when the next turn must be taken."""
        glance = self._seen.glanced_at + (_GLANCE if self._life.number else _SCAN)
        due = float("inf")
        if self.custody.is_idle:
            due = min(self._roll.next_at(self._skipped()), glance)
        elif self.custody.is_vacant and self._is_wanted():
            due = self._retries.due_at()
        return min(glance, max(due, self._now()), self.custody.next_at())
