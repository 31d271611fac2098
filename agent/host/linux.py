"""The one door to the machine: what probes may ask of it, with nothing in it that can hang them."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias, TypeVar

from agent.host import (
    arrays,
    discipline,
    disks,
    fstab,
    inotify,
    interfaces,
    jobs,
    memory,
    mounts,
    places,
    rdma,
    reaching,
    resolving,
    routes,
    services,
    tables,
    wires,
    writing,
)
from agent.host.arrays import Arrays
from agent.host.bell import Bell
from agent.host.checks import folder
from agent.host.checks.facts import Check, Result
from agent.host.checks.rounds import Manners, Rounds
from agent.host.clouds import dmi
from agent.host.clouds.facts import Bulletin, Provider
from agent.host.clouds.reading import Clouds
from agent.host.complaints.own import Patterns
from agent.host.discipline import Discipline
from agent.host.disks import Storage
from agent.host.guard import Guard
from agent.host.interfaces import Interface
from agent.host.kmsg import KernelLog
from agent.host.memory import Memory
from agent.host.mounts import Filesystem
from agent.host.nvml import resets
from agent.host.nvml.facts import Gpus, NvmlEvent
from agent.host.places import Place
from agent.host.processes import Processes, Running
from agent.host.rdma import Adapter, Adapters
from agent.host.reaching import Peer
from agent.host.routes import Route
from agent.host.strain import Strain, Strains
from agent.host.stream import Stream
from agent.host.tables import Tables
from agent.host.wires import Wiring
from agent.host.writing import NotTriedError
from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock

PROC_PATIENCE: Final = timedelta(seconds=5)
"""How long the kernel may take to answer from procfs or sysfs."""
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
Statvfs: TypeAlias = Callable[[str], os.statvfs_result]
Write: TypeAlias = Callable[[str], float]
Resolve: TypeAlias = Callable[[str, str, timedelta], Awaitable[str]]
Connect: TypeAlias = Callable[[Peer, timedelta], Awaitable[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a filesystem is left for a process without privileges."""

    blocks: int
    """Blocks that such a process could ever use: those reserved for root are none of them."""
    free_blocks: int
    inodes: int
    """Zero where the filesystem makes inodes as it needs them, as btrfs does."""
    free_inodes: int


class Host:
    """The machine, seen below a root.

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
        guard: Guard | None = None,
    ) -> None:
        self.root = root
        self.hostname = socket.gethostname()
        self._boot_id = boot_id
        self._mountinfo = mountinfo
        self._uptime = uptime
        self._statvfs, self._write, self._connect = statvfs, write, connect
        self._resolve = resolve
        self.gpus, self.rest, self.hurry = gpus, rest, hurry
        self.gpus_changed = gpus_changed or Bell().rung
        self.gpu_events = gpu_events or Stream[NvmlEvent]()
        self.kernel_log, self.patterns = kernel_log or KernelLog(), patterns
        self._clock, self._adjtimex, self._watches = clock, adjtimex, watches
        self._guard, self._clouds = guard or Guard(), Clouds()
        self._rounds, self._queries = Rounds(), Rounds()
        self._procfs, self._sysfs = root / "proc", root / "sys"
        self._processes = Processes(self._procfs)
        self._adapters, self._strains = Adapters(self._sysfs), Strains(self._sysfs)
        # `net` is that of whoever reads it, and an agent in a container may have a network of its
        # own; process 1 below the host's root is in the host's
        self._network = self._procfs / ("net" if root == Path("/") else "1/net")

    def now(self) -> datetime:
        """Return what time it is."""
        return self._clock()

    async def boot_id(self) -> str:
        """Read which boot this is."""
        return (await self._read(self._boot_id)).decode().strip()

    async def filesystems(self) -> tuple[Filesystem, ...]:
        """Read what is mounted, pseudo filesystems included."""
        return mounts.table(await self._read(self._mountinfo), PurePosixPath(self.root))

    async def usage(self, filesystem: Filesystem, *, patience: timedelta) -> Usage:
        """Measure a filesystem.

        Raises:
            agent.host.guard.HungError: it does not answer within the patience.
            OSError: it cannot be measured.
        """
        return await self._measured(filesystem.path, filesystem.mount, patience)

    async def room(self, folder: str, *, patience: timedelta) -> Usage:
        """Measure the filesystem that a folder of the host lies on; raises likewise."""
        return await self._measured(str(self._below(folder)), folder, patience)

    async def _measured(self, path: str, name: str, patience: timedelta) -> Usage:
        found = await self._guard.call(
            f"statvfs of {name}", lambda: self._statvfs(path), patience=patience
        )
        return Usage(
            blocks=found.f_blocks - found.f_bfree + found.f_bavail,
            free_blocks=found.f_bavail,
            inodes=found.f_files,
            free_inodes=found.f_favail,
        )

    async def places(self, directories: Collection[str]) -> tuple[Place, ...]:
        """Find on which filesystems directories of the host lie, and where we may write to them."""
        table, root = await self._read(self._mountinfo), PurePosixPath(self.root)
        below, own = mounts.table(table, root), mounts.table(table, PurePosixPath("/"))
        return places.found(directories, root=root, below=below, own=own)

    async def write(self, place: Place, *, patience: timedelta) -> float:
        """Write a small file, read it back and remove it; return the seconds until it was safe.

        Raises:
            agent.host.guard.HungError: it did not end within the patience, or an earlier one hangs.
            agent.host.writing.NotTriedError: it could not be tried.
            OSError: the disk did not do it.
        """
        path = place.path
        if path is None:
            raise NotTriedError("the agent may only read there")
        key = f"write to {place.mount}"
        return await self._guard.call(key, lambda: self._write(path), patience=patience)

    async def uptime(self) -> float:
        """Read for how many seconds the machine has been up, suspended or not."""
        return float((await self._read(self._uptime)).split()[0])

    async def pods(self, pids: Collection[int]) -> Mapping[int, str]:
        """Find the UIDs of the pods that processes belong to, as far as they are there and in one.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._ask("cgroups", lambda: jobs.pods(self._procfs, pids))

    async def own(self, pids: Collection[int]) -> frozenset[int]:
        """Find which threads are there and belong to the machine itself, not to a pod.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._ask("cgroups", lambda: jobs.own(self._procfs, pids))

    async def gpu_resets(self) -> Mapping[str, datetime]:
        """Read which GPUs were reset in this boot, and when, by their UUIDs."""
        return await self._ask("GPU resets", lambda: resets.noted(self.root))

    async def processes(self) -> Running:
        """Read which processes run, and for how long some have slept where nothing ends them."""
        uptime = await self.uptime()
        return await self._ask("processes", lambda: self._processes.lately(uptime))

    async def ask(self, what: str, read: Callable[[Path], T]) -> T:
        """Read small files below the host's root, as a module beside this one knows them.

        Raises:
            agent.host.guard.HungError: the kernel does not say.
        """
        return await self._ask(what, lambda: read(self.root))

    async def discipline(self) -> Discipline:
        """Ask how well the kernel keeps the time."""
        return await self._ask("adjtimex", self._adjtimex)

    async def watches(self) -> str:
        """Ask of what root has none left to watch files with; nothing where all is well."""
        return await self._ask("inotify", self._watches)

    async def memory(self) -> Memory:
        """Read how memory fares."""
        return await self._ask("memory", lambda: memory.read(self._procfs))

    async def interfaces(self, named: Collection[str] = ()) -> tuple[Interface, ...]:
        """Read the interfaces that are named, or else those with hardware."""
        return await self._ask("interfaces", lambda: interfaces.found(self._sysfs, named))

    async def uplinks(self, through: Collection[str]) -> frozenset[str]:
        """Find the interfaces that lie below some others, as those of a bond do, and those."""
        return await self._ask("uplinks", lambda: interfaces.below(self._sysfs, through))

    async def carries_on(self, name: str) -> bool:
        """Read whether an interface has a link although it lost a port."""
        return await self._ask(f"link of {name}", lambda: interfaces.carries_on(self._sysfs, name))

    async def is_driven(self, device: str) -> bool:
        """Read whether a device of a name is on one of the machine's buses and has a driver."""
        return await self._ask(device, lambda: interfaces.is_driven(self._sysfs, device))

    async def is_on_bus(self, device: str) -> bool:
        """Read whether a device of a name is on one of the machine's buses, driven or not."""
        return await self._ask(device, lambda: rdma.is_on_bus(self._sysfs, device))

    async def has_driver(self, driver: str) -> bool:
        """Read whether a driver is loaded."""
        return await self._ask(driver, lambda: rdma.has_driver(self._sysfs, driver))

    async def adapters(self, refused: Mapping[str, Collection[str]]) -> tuple[Adapter, ...]:
        """Read the RDMA adapters, without counters that refused to be read before."""
        return await self._ask("RDMA adapters", lambda: self._adapters.look(refused))

    async def wiring(self) -> Wiring:
        """Read how interfaces and bonds are wired."""
        return await self._ask("wires", lambda: wires.found(self._sysfs))

    async def tables(self) -> Tables:
        """Read how full the tables of connections and of ports are."""
        return await self._ask("tables", lambda: tables.read(self._procfs, self._network))

    async def name_servers(self) -> tuple[str, ...]:
        """Read the addresses of the host's name servers."""
        return await self._ask("name servers", lambda: resolving.servers(self.root))

    async def resolve(self, server: str, name: str, *, patience: timedelta) -> str:
        """Ask a name server for a name; return nothing if it resolves it, else why not."""
        return await self._resolve(server, name, patience)

    async def default_routes(self) -> tuple[Route, ...] | None:
        """Read the default routes; None where they cannot be asked for."""
        return await self._ask("routes", lambda: routes.defaults(self._network))

    async def touch(self, neighbour: IPv4Address) -> None:
        """Make the kernel find out whether a neighbour is there."""
        await self._ask(f"{neighbour}", lambda: reaching.touch(neighbour))

    async def answers(self, neighbour: IPv4Address) -> bool | None:
        """Read whether the kernel finds a neighbour; None where it keeps no account of it."""
        return await self._ask("neighbours", lambda: routes.neighbour(self._network, neighbour))

    async def connect(self, peer: Peer, *, patience: timedelta) -> float | None:
        """Connect to a peer; return the seconds until it answered, or None if it did not."""
        return await self._connect(peer, patience)

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
        return await self._ask("firmware", lambda: dmi.provider(self._sysfs))

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

        return await self._ask("checks", look)

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
        judged = await self._ask("programs", lambda: [folder.judged(each) for each in programs])
        return await self._queries.look(judged, self._manners(1, memory, patience))

    def _manners(self, parallel: int, memory: int, patience: timedelta) -> Manners:
        environment = {**ENVIRONMENT, "HOST_ROOT": str(self.root)}
        return Manners(parallel=parallel, memory=memory, environment=environment, patience=patience)

    async def volumes(self, filesystems: Collection[Filesystem]) -> Mapping[str, str]:
        """Find where filesystems are mounted, by the kernel's names of their devices."""
        return await self._ask("volumes", lambda: disks.volumes(self._sysfs, filesystems))

    async def storage(self, filesystems: Collection[Filesystem]) -> Storage | None:
        """Read which disks there are, and which of them carry some filesystems."""
        return await self._ask("disks", lambda: disks.found(self._sysfs, filesystems))

    async def strains(self) -> tuple[Strain, ...]:
        """Read what each disk did since this was asked last."""
        uptime = await self.uptime()
        return await self._ask("load of disks", lambda: self._strains.look(uptime))

    async def arrays(self) -> Arrays:
        """Read which disks are bundled."""
        return await self._ask("arrays", lambda: arrays.found(self._sysfs))

    async def fstab(self) -> tuple[str, ...]:
        """Read what the host mounts from boot on."""
        return await self._ask("fstab", lambda: fstab.mounts(self.root))

    async def _read(self, path: Path) -> bytes:
        return await self._ask(str(path), path.read_bytes)

    async def _ask(self, what: str, work: Callable[[], T]) -> T:
        return await self._guard.call(f"read of {what}", work, patience=PROC_PATIENCE)
