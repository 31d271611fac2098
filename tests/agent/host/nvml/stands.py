"""A machine with a stand-in driver, real worker processes, and a clock that a test moves."""

import asyncio
import dataclasses
import functools
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from agent.host.nvml import tasks
from agent.host.nvml.counts import Counts
from agent.host.nvml.facts import Card, Gpus, NvmlEvent, Standing
from agent.host.nvml.process import Starter
from agent.host.nvml.settings import Nvml
from agent.host.nvml.supervisor import Supervisor
from agent.host.stream import Stream
from simulator.driver import recording
from simulator.driver.build import BuildError
from simulator.driver.control import Driver
from simulator.driver.recording import Recording
from tests.lacking import lacking

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE: Final = 20.0
"""Real seconds after which a test gives up waiting for a process."""
PAUSE: Final = 0.002
DEEP_LOOKS: Final = 5


@dataclass(slots=True)
class Time:
    """A clock that stands still until it is moved."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds

    def clock(self) -> datetime:
        """Return the time of day."""
        return NOON + timedelta(seconds=self.seconds)


class Changes:
    """Changes a driver as `simulator.driver.control.Driver` does, in a thread: it writes files."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return how it is changed."""
        return functools.partial(asyncio.to_thread, getattr(self._driver, name))


@dataclass(slots=True, kw_only=True)
class Stand:
    """The machine, and who supervises it."""

    root: Path
    driver: Changes
    supervisor: Supervisor
    time: Time
    counts: Counts
    events: Stream[NvmlEvent]
    pcis: tuple[str, ...] = field(default=())

    @property
    def gpus(self) -> Gpus:
        """Return what is known now."""
        return self.supervisor.gpus()

    def card(self, gpu: int) -> Card:
        """Return what is known of one GPU, counted as the recording does."""
        return next(each for each in self.gpus.cards if each.pci == self.pcis[gpu])

    def standings(self) -> list[Standing]:
        """Return how each GPU stands."""
        return [self.card(at).standing for at in range(len(self.pcis))]

    @property
    def pid(self) -> int:
        """Return the process at work."""
        return self._task()[0]

    @property
    def task(self) -> int:
        """Return the thread that calls NVML."""
        return self._task()[1]

    async def until(self, reached: Callable[[], bool]) -> None:
        """Take turns, though no time passes, until something is the case."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.supervisor.turn()
                if reached():
                    return
                await asyncio.sleep(PAUSE)

    async def settled(self) -> None:
        """Take turns until nothing more is to be done at this moment."""
        await self.until(lambda: not self.supervisor.is_at_work)

    async def passes(self, seconds: float) -> None:
        """Let time pass, and have all done that was due meanwhile."""
        self.time.seconds += seconds
        await self.settled()

    async def asleep(self, gpu: int | None) -> None:
        """Let time pass until the call to a GPU sleeps that is blocked in state D."""
        await self.until(lambda: self._is_asked(gpu))
        async with asyncio.timeout(PATIENCE):
            # a thread that reads a file is in state D for an instant, too
            for _ in range(DEEP_LOOKS):
                while not (await asyncio.to_thread(tasks.read, *self._task())).is_deep:  # noqa: ASYNC110 - nothing tells of another process's state
                    await asyncio.sleep(PAUSE)
                await asyncio.sleep(PAUSE)

    async def blocked(self, gpu: int | None) -> None:
        """Take turns until a call is named as one that does not return."""
        await self.until(lambda: self._is_asked(gpu) and self._is_named())

    def _is_asked(self, gpu: int | None) -> bool:
        asked = self.supervisor.custody.asked
        return asked is not None and asked.pci == ("" if gpu is None else self.pcis[gpu])

    def _is_named(self) -> bool:
        asked = self.supervisor.custody.asked
        return asked is not None and asked.call != asked.what

    def _task(self) -> tuple[int, int]:
        task = self.supervisor.custody.task
        assert task is not None
        return task

    async def overruns(self, gpu: int | None) -> None:
        """Let the call to a GPU that sleeps go over its hard deadline, as far as two looks tell."""
        await self.asleep(gpu)
        self.time.seconds += 30
        await self.supervisor.turn()
        self.time.seconds += 1
        await self.supervisor.turn()

    async def load(self, version: str = "570.124.06") -> None:
        """Load the driver, as sysfs and NVML show it."""
        await self.driver.load(version)
        module(self.root, version)

    async def unload(self) -> None:
        """Take the driver away."""
        await self.driver.unload()
        shutil.rmtree(self.root / "sys/module/nvidia")


def is_alive(pid: int) -> bool:
    """Say whether there is such a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def module(root: Path, version: str) -> None:
    """Show a kernel module in sysfs."""
    folder = root / "sys/module/nvidia"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version").write_text(f"{version}\n")


def machine(root: Path, recorded: Recording) -> tuple[str, ...]:
    """Write down the PCI bus of a recorded machine, and return the addresses of its GPUs."""
    pcis = tuple(recorded.pci(at) for at in range(len(recorded.gpus)))
    for pci in pcis:
        device(root, pci)
    module(root, str(recorded.system["nvmlSystemGetDriverVersion"]))
    return pcis


def device(
    root: Path,
    pci: str,
    *,
    kind: str = "0x030200",
    driver: str = "nvidia",
    config: bytes = b"\xde\x10\x30\x23",
) -> None:
    """Plug in a device of NVIDIA's."""
    folder = root / "sys/bus/pci/devices" / pci
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vendor").write_text("0x10de\n")
    (folder / "class").write_text(f"{kind}\n")
    (folder / "config").write_bytes(config)
    (folder / "current_link_width").write_text("16\n")
    (folder / "max_link_width").write_text("16\n")
    (folder / "driver").unlink(missing_ok=True)
    (folder / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")


@asynccontextmanager
async def standing(
    root: Path,
    cache: Path,
    *,
    gpus: int = 8,
    settings: Nvml | None = None,
    recorded: Recording | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Stand]:
    """Give a machine with so many GPUs, whose driver is loaded; nobody has looked at it yet."""
    if recorded is None:
        recorded = await asyncio.to_thread(recording.load, "h100x8")
    played = dataclasses.replace(recorded, gpus=recorded.gpus[:gpus])
    driver = Driver(root / "usr/lib64")
    try:
        await asyncio.to_thread(driver.install, played, cache=cache)
    except BuildError as missing:
        lacking(str(missing))
    time, counts, events = Time(), Counts(), Stream[NvmlEvent]()
    pcis = machine(root, played)
    starter = Starter(environ={**os.environ, **driver.environ(), **environ})
    supervisor = Supervisor(
        settings or Nvml(),
        root=root,
        starter=starter,
        now=time,
        clock=time.clock,
        events=events,
        counts=counts,
    )
    try:
        yield Stand(
            root=root,
            driver=Changes(driver),
            supervisor=supervisor,
            time=time,
            counts=counts,
            events=events,
            pcis=pcis,
        )
    finally:
        await asyncio.to_thread(driver.close)
        await supervisor.close()
