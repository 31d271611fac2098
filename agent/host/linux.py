"""The one door to the machine: what probes may ask of it, with nothing in it that can hang them."""

import asyncio
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from agent.host import (
    discipline,
    inotify,
    interfaces,
    jobs,
    memory,
    pstore,
    rdma,
    reaching,
    resolving,
    services,
    writing,
)
from agent.host.bell import Bell
from agent.host.checks import folder
from agent.host.checks.facts import Check, Result
from agent.host.checks.rounds import Manners, Rounds
from agent.host.clouds import dmi
from agent.host.clouds.facts import Bulletin, Provider
from agent.host.clouds.reading import Clouds
from agent.host.complaints.own import Patterns
from agent.host.discipline import Discipline
from agent.host.guard import Guard
from agent.host.kmsg import KernelLog
from agent.host.memory import Memory
from agent.host.network import Connect, Network, Resolve
from agent.host.nvml import resets
from agent.host.nvml.facts import Gpus, NvmlEvent
from agent.host.processes import Processes, Running
from agent.host.reader import Reader
from agent.host.stream import Stream
from agent.host.volumes import Statvfs, Volumes, Write
from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
MOUNTINFO: Final = Path("/proc/self/mountinfo")
UPTIME: Final = Path("/proc/uptime")

ENVIRONMENT: Final = {
    "HOME": "/",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
"""All that a check finds in its environment, beside HOST_ROOT."""

NO_PATTERNS: Final = Patterns()

T = TypeVar("T")


class Host:
    """The machine, seen below a root; its network and its volumes have doors of their own.

    Args:
        root: Where the host's root directory is mounted: `/` outside a container.
        boot_id: The file that tells one boot from the next.
        mountinfo: The table of mounts in the agent's own namespace.
        uptime: For how long the machine has been up: a file that is the same in every container.
        statvfs: How a filesystem is measured.
        write: How a directory is written to.
        connect: How another machine is reached.
        resolve: How a name server is asked.
        gpus: What is known of the GPUs at this moment.
        gpu_events: What NVML tells without being asked.
        gpus_changed: Returns when the driver or a GPU stands otherwise than when it told the same
            listener so last.
        rest: How a GPU at a PCI address is left alone for a while: calls to it may hang.
        hurry: How a GPU at a PCI address is asked at once: something happened to it.
        kernel_log: What the kernel says; nothing where it is not read.
        patterns: Which of its lines the operator wants to hear of.
        clock: What time it is.
        adjtimex: How well the kernel keeps the time.
        watches: Of what root has none left, to watch files with.
        records: Where what the kernel left of crashes is copied to, if it is.
        devices: Where the agent itself has devices, those of the host or not.
        path: Where the agent's own programs are looked for.
    """

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        boot_id: Path = BOOT_ID,
        mountinfo: Path = MOUNTINFO,
        uptime: Path = UPTIME,
        statvfs: Statvfs = os.statvfs,
        write: Write = writing.write,
        connect: Connect = reaching.connect,
        resolve: Resolve = resolving.ask,
        gpus: Callable[[], Gpus] = Gpus,
        gpu_events: Stream[NvmlEvent] | None = None,
        gpus_changed: Callable[[str], Awaitable[None]] | None = None,
        rest: Callable[[str], None] = lambda _: None,
        hurry: Callable[[str], None] = lambda _: None,
        kernel_log: KernelLog | None = None,
        patterns: Patterns = NO_PATTERNS,
        clock: Clock = clocks.wall,
        adjtimex: Callable[[], Discipline] = discipline.read,
        watches: Callable[[], str] = inotify.exhausted,
        records: Path | None = None,
        devices: Path = Path("/dev"),
        path: str = ENVIRONMENT["PATH"],
        guard: Guard | None = None,
    ) -> None:
        self.root, self.devices, self._path = root, devices, path
        self.hostname = socket.gethostname()
        self._boot_id, self._records = boot_id, records
        self._uptime = uptime
        self.gpus, self.rest, self.hurry = gpus, rest, hurry
        self.gpus_changed = gpus_changed or Bell().rung
        self.gpu_events = gpu_events or Stream[NvmlEvent]()
        self.kernel_log, self.patterns = kernel_log or KernelLog(), patterns
        self._clock, self._adjtimex, self._watches = clock, adjtimex, watches
        guard = guard or Guard()
        self._reader, self._clouds = Reader(guard), Clouds()
        self._rounds, self._queries = Rounds(), Rounds()
        self._procfs, self._sysfs = root / "proc", root / "sys"
        self._processes = Processes(self._procfs)
        self.network = Network(self._reader, root, connect=connect, resolve=resolve)
        self.volumes = Volumes(
            guard, root, mountinfo=mountinfo, uptime=self.uptime, statvfs=statvfs, write=write
        )

    def now(self) -> datetime:
        """Return what time it is."""
        return self._clock()

    async def boot_id(self) -> str:
        """Read which boot this is."""
        return (await self._reader.read(self._boot_id)).decode().strip()

    async def uptime(self) -> float:
        """Read for how many seconds the machine has been up, suspended or not."""
        return float((await self._reader.read(self._uptime)).split()[0])

    async def pods(self, pids: Collection[int]) -> Mapping[int, str]:
        """Find the UIDs of the pods that processes belong to, as far as they are there and in one.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._reader.ask("cgroups", lambda: jobs.pods(self._procfs, pids))

    async def own(self, pids: Collection[int]) -> frozenset[int]:
        """Find which threads are there and belong to the machine itself, not to a pod.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._reader.ask("cgroups", lambda: jobs.own(self._procfs, pids))

    async def gpu_resets(self) -> Mapping[str, datetime]:
        """Read which GPUs were reset in this boot, and when, by their UUIDs."""
        return await self._reader.ask("GPU resets", lambda: resets.noted(self.root))

    async def processes(self) -> Running:
        """Read which processes run, and for how long some have slept where nothing ends them."""
        uptime = await self.uptime()
        return await self._reader.ask("processes", lambda: self._processes.lately(uptime))

    async def ask(self, what: str, read: Callable[[Path], T]) -> T:
        """Read small files below the host's root, as a module beside this one knows them.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._reader.ask(what, lambda: read(self.root))

    async def keep_records(self) -> None:
        """Copy what the kernel left of crashes to where it lasts.

        Raises:
            OSError: it cannot be read or written.
            agent.host.guard.HungError: the disk does not answer.
        """
        into = self._records
        if into is not None:
            await self._reader.ask("pstore", lambda: pstore.keep(self.root, into))

    async def discipline(self) -> Discipline:
        """Ask how well the kernel keeps the time."""
        return await self._reader.ask("adjtimex", self._adjtimex)

    async def watches(self) -> str:
        """Ask of what root has none left to watch files with; nothing where all is well."""
        return await self._reader.ask("inotify", self._watches)

    async def memory(self) -> Memory:
        """Read how memory fares."""
        return await self._reader.ask("memory", lambda: memory.read(self._procfs))

    async def is_driven(self, device: str) -> bool:
        """Read whether a device of a name is on one of the machine's buses and has a driver."""
        return await self._reader.ask(device, lambda: interfaces.is_driven(self._sysfs, device))

    async def is_on_bus(self, device: str) -> bool:
        """Read whether a device of a name is on one of the machine's buses, driven or not."""
        return await self._reader.ask(device, lambda: rdma.is_on_bus(self._sysfs, device))

    async def has_driver(self, driver: str) -> bool:
        """Read whether a driver is loaded."""
        return await self._reader.ask(driver, lambda: rdma.has_driver(self._sysfs, driver))

    async def http(self, url: str, *, patience: timedelta) -> str:
        """Ask a service of this machine by HTTP; return nothing when it is well, else why not."""
        return await services.http(url, patience=patience)

    async def http2(self, socket: str, *, patience: timedelta) -> str:
        """Ping a service on a UNIX socket of the host; return nothing, or why it is not well."""
        return await services.http2(str(self._below(socket)), patience=patience)

    async def over(
        self, socket: str, question: Callable[[str], Awaitable[T]], *, patience: timedelta
    ) -> T:
        """Ask a service on a UNIX socket of the host, as a module beside this one knows how.

        Raises:
            TimeoutError: it does not answer within the patience.
        """
        async with asyncio.timeout(patience.total_seconds()):
            return await question(str(self._below(socket)))

    def _below(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    async def provider(self) -> Provider | None:
        """Read from the firmware whose cloud the machine belongs to, if any."""
        return await self._reader.ask("firmware", lambda: dmi.provider(self._sysfs))

    async def bulletin(self, provider: Provider, url: str, *, patience: timedelta) -> Bulletin:
        """Read what a cloud announces of the machine; without a URL, where it always does."""
        return await self._clouds.bulletin(provider, url, patience=patience)

    async def checks(
        self, directory: str, named: Sequence[Check], *, every: timedelta, limit: timedelta
    ) -> tuple[Check, ...]:
        """Find the checks of a folder of the agent's own filesystem, and look at some others."""

        def look() -> tuple[Check, ...]:
            there = folder.found(Path(directory), every=every, timeout=limit)
            return (*there, *map(folder.judged, named))

        return await self._reader.ask("checks", look)

    async def run(
        self, checks: Sequence[Check], *, parallel: int, memory: int, patience: timedelta
    ) -> Mapping[str, Result]:
        """Run those checks that are due, and return what is known of each by its name."""
        manners = self._manners(parallel, memory, patience)
        return await self._rounds.look(checks, manners)

    async def query(
        self, programs: Sequence[Check], *, memory: int, patience: timedelta
    ) -> Mapping[str, Result]:
        """Run programs that are due and may be run, and return what each said last."""
        judged = await self._reader.ask(
            "programs", lambda: [folder.judged(each) for each in programs]
        )
        return await self._queries.look(judged, self._manners(1, memory, patience))

    async def tool(self, name: str) -> str:
        """Find a program in the agent's own filesystem; nothing where it is not there."""
        found = await self._reader.ask(name, lambda: shutil.which(name, path=self._path))
        return found or ""

    async def has_device(self, names: Collection[str]) -> bool:
        """Say whether the agent itself has any of some devices."""
        return await self._reader.ask(
            "devices", lambda: any((self.devices / each).exists() for each in names)
        )

    def _manners(self, parallel: int, memory: int, patience: timedelta) -> Manners:
        environment = {**ENVIRONMENT, "HOST_ROOT": str(self.root)}
        return Manners(parallel=parallel, memory=memory, environment=environment, patience=patience)
