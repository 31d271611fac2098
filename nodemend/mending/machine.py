"""The real machine below a root, as the programs touch it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from agent.host import commands, holders, power
from agent.host.commands import Ended, Left
from agent.host.guard import Guard, HungError
from agent.host.holders import Holder
from agent.host.nvml import bus, release, resets
from agent.host.nvml.settings import FOLDERS
from nodehealth import quantities
from nodemend.mending import places, reboot, reset, restart, sight
from nodemend.mending.ending import FailedError, RefusedError
from nodemend.mending.sight import Sight

T = TypeVar("T")

BOOT_ID: Final = "proc/sys/kernel/random/boot_id"
MEMORY: Final = "run/nodemend/persistence-mode"
"""The GPUs whose persistence mode is off because of us, below the host's root."""

_ONCE: Final = (sys.executable, "-m", "agent.host.nvml.once")
ANSWER: Final = timedelta(minutes=1)
"""How long the driver may take for one look: longer than a dead GSP takes for one call."""
_GRACE: Final = timedelta(seconds=8)
"""How long a program is waited for after we were told to end; a repair Pod has 10 s to go."""
_READING: Final = timedelta(seconds=20)
"""How long the kernel may take to say what is on the bus, or who has what open."""
SYNCING: Final = timedelta(seconds=30)
"""How long the disks may take before a reboot."""
ORDERING: Final = timedelta(seconds=60)
"""How long systemd may take to take the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the machine is, and how its programs are called."""

    root: Path
    """Where its root directory is mounted."""
    nvidia_smi: Sequence[str]
    systemctl: Sequence[str]
    say: Callable[[str], None]
    """Tell people what is going on."""
    answer: timedelta = ANSWER
    """How long the driver may take for one look."""

    def boot_id(self) -> str:
        """Read which boot this is; empty where nothing says so."""
        try:
            return (self.root / BOOT_ID).read_text().strip()
        except OSError:
            return ""

    def for_reset(self) -> reset.Bench:
        """Return what a reset of GPUs touches."""
        return reset.Bench(
            look=self._look,
            holders=self._holders,
            cards=self._cards,
            released=self._released,
            smi=lambda words, patience: self._run(self.nvidia_smi, words, patience),
            remember=lambda uuids: asyncio.to_thread(self._remember, uuids),
            remembered=lambda: asyncio.to_thread(self._remembered),
            note=lambda uuids: asyncio.to_thread(resets.note, self.root, uuids),
            say=self.say,
        )

    def for_reboot(self, ordered: Callable[[str], None]) -> reboot.Bench:
        """Return what a reboot touches."""
        return reboot.Bench(
            sync=lambda: power.sync(SYNCING),
            systemctl=lambda word: self._run(self.systemctl, [word], ORDERING),
            sysrq=lambda: power.reset(self.root / power.TRIGGER),
            ordered=ordered,
            say=self.say,
        )

    def for_restart(self) -> restart.Bench:
        """Return what a restart of a service touches."""
        return restart.Bench(
            systemctl=lambda words, patience: self._run(self.systemctl, words, patience),
            say=self.say,
        )

    async def _run(
        self, program: Sequence[str], words: Sequence[str], patience: timedelta
    ) -> Ended | Left:
        return await commands.run(
            [*program, *words], environ=os.environ, patience=patience, grace=_GRACE
        )

    async def _look(self) -> Sight:
        seen, switches = await _guarded("the bus", self._about)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [*_ONCE, seen.library, seen.devices]
        ended = await commands.run(words, environ=environ, patience=self.answer)
        if isinstance(ended, Left):
            where = f" at {ended.wchan}" if ended.wchan else ""
            raise FailedError(
                f"the driver does not answer: a call of process {ended.pid} does not return"
                f" (state {ended.state or '?'}{where}); what hangs in a driver ends with a reboot"
            )
        try:
            told = json.loads(ended.output.splitlines()[-1])
        except (IndexError, ValueError) as garbled:
            raise FailedError(f"the driver cannot be asked: {ended.output[-400:]}") from garbled
        return sight.read(told, switches=switches)

    async def _holders(self) -> tuple[Holder, ...]:
        return await _guarded("procfs", self._held)

    def _held(self) -> tuple[Holder, ...]:
        return holders.found(self.root / "proc", holders.devices(self.root))

    def _cards(self, pci: str) -> Collection[str]:
        return holders.cards(self.root / "sys", pci)

    def _about(self) -> tuple[bus.Glance, bool]:
        """Find the host's NVML, where it is not simply our own, and whether it has NVSwitches."""
        found = bus.glance(self.root, FOLDERS) if self.root != places.MACHINE else bus.Glance()
        return found, bool(bus.scan(self.root).bus.switches)

    def _released(self) -> AbstractAsyncContextManager[None]:
        return _released(self.root)

    def _remember(self, uuids: Sequence[str]) -> None:
        memory = self.root / MEMORY
        if uuids:
            memory.write_text("\n".join(uuids))
        else:
            memory.unlink(missing_ok=True)

    def _remembered(self) -> tuple[str, ...]:
        try:
            return tuple((self.root / MEMORY).read_text().split())
        except FileNotFoundError:
            return ()


async def _guarded(what: str, work: Callable[[], T]) -> T:
    """Read in a thread that may be lost: our own end must not wait for it."""
    try:
        return await Guard().call(f"read of {what}", work, patience=_READING)
    except HungError as hung:
        raise FailedError(f"{hung} within {quantities.spoken(_READING)}") from hung


@asynccontextmanager
async def _released(root: Path) -> AsyncIterator[None]:
    try:
        async with release.held(root, f"nodemend node reset-gpu, PID {os.getpid()}"):
            yield
    except release.HeldError as busy:
        raise RefusedError(f"another reset is under way: {busy}") from busy
