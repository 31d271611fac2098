"""A machine with all that an agent reads, written down, and what its agent writes of it."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from agent import main, settings, state
from agent.host.discipline import Discipline
from agent.host.doors import Door
from agent.host.guard import Guard, T
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.host.reaching import Peer
from agent.monitor import Monitor
from agent.probe import Probe
from agent.probes.dns import DNS
from agent.probes.reachability import Reachability
from agent.publish import Publisher
from agent.settings import Settings
from nodehealth.health import NodeHealthStatus
from simulator import virtualtime
from tests.agent.gpus import machine
from tests.agent.host.test_edac import control, plug
from tests.agent.host.test_processes import run
from tests.agent.trees import Tree

logger = logging.getLogger(__name__)

UNPLAYED: Final[Mapping[str, str]] = {
    "containers": "asks the container runtime over its socket",
    "runtime": "asks the kubelet and the container runtime over their sockets",
    "services": "asks systemd over its socket",
}
"""Virtual time can't wait for sockets. All others are played; `custom` and `smart` have no program
to run as they come, `kernel-patterns` no pattern, and `cloud` finds no cloud."""
_ASKING: Final[Mapping[str, Probe]] = {
    "dns": DNS(name="kubernetes.io"),
    "reachability": Reachability(peers=("10.0.0.1:443", "10.0.1.1:443")),
}
"""Those that ask nobody as they come."""
PROBES: Final[Mapping[str, Probe]] = {
    name: _ASKING.get(name, probe)
    for name, probe in settings.load({}).probes.items()
    if name not in UNPLAYED
}
DISKS: Final = tuple(f"nvme{number}n1" for number in range(8))
LINKS: Final = tuple(f"eth{number}" for number in range(10))
ADAPTERS: Final = tuple(f"mlx5_{number}" for number in range(8))
MODULES: Final = tuple(f"mc{n // 8}/dimm{n % 8}" for n in range(16))
MOUNTS: Final = {
    "/": "259:1 /dev/nvme0n1p1",
    "/var/lib/kubelet": "259:3 /dev/nvme1n1p1",
    "/scratch": "259:5 /dev/nvme2n1p1",
}
_CPU: Final = "sys/devices/system/cpu"
_NET: Final = "proc/1/net"
_GATEWAY: Final = "127.0.0.1"
"""Nobody is bothered by the empty datagram that makes a kernel look for its gateway."""
_BOOTED: Final = 100


class Patient(Guard):
    """Makes every call to its end: virtual time waits for threads that the loop knows."""

    async def call(self, key: str, work: Callable[[], T], *, patience: timedelta) -> T:
        """Return what the work returns."""
        del key, patience
        return await asyncio.to_thread(work)


class Lasting(Tree):
    """A tree whose files are whole whenever they are read."""

    def write(self, path: str, text: object) -> None:
        """Put a new file into the place of the old one."""
        file = self.root / path
        if not file.exists():
            super().write(path, text)
            return
        fresh = self.root.with_suffix(".fresh")
        fresh.write_text(f"{text}\n")
        fresh.replace(file.resolve())


class Ring(Door):
    """A kernel's log that tells whoever reads it at once, and keeps nothing that was read."""

    def __init__(self) -> None:
        self._records = list[bytes]()
        self._written = 0
        self._told = asyncio.Event()

    def say(self, text: str) -> None:
        """Let the kernel log a warning."""
        self._written += 1
        at = round(asyncio.get_running_loop().time() * 1e6)
        self._records.append(f"4,{self._written},{at},-;{text}\n".encode())
        self._told.set()

    def read(self, size: int) -> bytes:
        del size
        if not self._records:
            raise BlockingIOError
        return self._records.pop(0)

    async def ready(self) -> None:
        self._told.clear()
        if not self._records:
            await self._told.wait()

    def close(self) -> None:
        """Be let go."""


class Machine(Host):
    """A host whose clock goes with virtual time."""

    async def uptime(self) -> float:
        """Return for how long it has been up."""
        return _BOOTED + asyncio.get_running_loop().time()


@dataclass
class Node:
    """A machine of eight GPUs, eight disks, ten links, eight adapters for RDMA and more."""

    tree: Tree
    chance: Random
    gpus: Gpus = field(default_factory=machine)
    full: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MOUNTS, 0.3))
    """Which share of each filesystem is in use."""
    ring: Ring = field(default_factory=Ring)
    jitter: float = 0.0
    """How much everything that is measured in time varies, as a share."""
    counted: Counter[str] = field(default_factory=Counter)
    """What disks, links, adapters and modules counted so far."""
    writes: list[tuple[datetime, NodeHealthStatus]] = field(default_factory=list)

    def build(self) -> None:
        """Plug everything in."""
        for number, name in enumerate(DISKS):
            self.tree.disk(name, f"259:{2 * number}", at=f"pci0/{number}", serial=f"S{number}")
            self.tree.write(f"sys/class/nvme/nvme{number}/state", "live")
        for name in LINKS:
            self.tree.wire(name, speed=400_000)
        for number, name in enumerate(ADAPTERS):
            self.tree.adapter(name, device=f"0000:{0x5E + number:02x}:00.0")
        self.tree.array("md0", level="raid1", disks=2, missing=0, state="clean")
        self.tree.mounts(MOUNTS)
        self._kernel()
        self._routes()
        self.work(0.0)

    def _kernel(self) -> None:
        self.tree.write(f"{_CPU}/online", "0-95")
        self.tree.write(f"{_CPU}/present", "0-95")
        self.tree.write(f"{_CPU}/cpu0/topology/physical_package_id", 0)
        self.tree.write("proc/sys/kernel/pid_max", 4_194_304)
        self.tree.write("proc/interrupts", " MCE:  0  0  Machine check exceptions")
        self.tree.write("proc/stat", f"btime {round(virtualtime.START.timestamp()) - _BOOTED}")
        self.tree.write("proc/sys/net/netfilter/nf_conntrack_max", 262_144)
        self.tree.write("proc/sys/net/ipv4/ip_local_port_range", "32768 60999")
        for pid, name in enumerate(("systemd", "kubelet", "containerd", "nv-fabricmanage"), 1):
            run(self.tree, pid, name, at=pid)

    def _routes(self) -> None:
        self.tree.write("etc/resolv.conf", "nameserver 10.0.0.2")
        head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"
        self.tree.write(f"{_NET}/route", f"{head}\neth0 0 0100007F 0003 0 0 0 0 0 0 0")
        head = "IP address HW type Flags HW address Mask Device"
        self.tree.write(f"{_NET}/arp", f"{head}\n{_GATEWAY} 0x1 0x2 52:54:00:12:35:02 * eth0")

    def work(self, load: float) -> None:
        """Let the machine do a share of what it can, and count what it has done by now."""
        some = self.chance.uniform
        free = 0.9 - 0.7 * load * some(0.8, 1)
        self.tree.write("proc/meminfo", f"MemTotal: 1000 kB\nMemAvailable: {free * 1000:.0f} kB")
        self.tree.write("proc/vmstat", f"oom_kill {self.counted['oom']}")
        self.tree.write("proc/loadavg", f"9 9 9 5/{2000 + round(9000 * load)} 1")
        self.tree.write("proc/sys/fs/file-nr", f"{5000 + round(90_000 * load)}\t0\t9223372")
        for of, whose in (("cpu", "some"), ("io", "full"), ("memory", "full")):
            avg = 60 * load * some(0, 1) if of == "cpu" else 5 * load * some(0, 1)
            self.tree.write(f"proc/pressure/{of}", f"{whose} avg60={avg:.2f} avg300={avg:.2f}")
        count = round(9000 + 60_000 * load * some(0.5, 1))
        self.tree.write("proc/sys/net/netfilter/nf_conntrack_count", count)
        self.tree.write(f"{_NET}/sockstat", f"TCP: inuse {count // 10} orphan 0 tw 70 alloc 9")
        self._tell()

    def _tell(self) -> None:
        """Write down what was counted."""
        for name in DISKS:
            done = self.counted[name]
            self.tree.worked(name, reads=done, seconds=done * 0.0004)
        for name in LINKS:
            self.tree.write(f"sys/class/net/{name}/statistics/rx_dropped", self.counted[name])
        for name in ADAPTERS:
            dirt = self.counted[name]
            counters = {"symbol_error": dirt // 50, "port_xmit_discards": dirt}
            hardware = {"hw_packet_seq_err": dirt, "hw_roce_slow_restart": dirt // 10}
            self.tree.count(name, **counters, **hardware)
        for name in MODULES:
            plug(self.tree, name, self.counted[name], label=name.replace("/", "_").upper())
        for name in ("mc0", "mc1"):
            control(self.tree, name, sum(self.counted[each] for each in MODULES if name in each))

    async def live(self, hours: float) -> None:
        """Have an agent look at it for so long, from a moment after its start."""
        clock = virtualtime.clock()

        async def opened(_: Path) -> Door:
            return self.ring

        log = KernelLog(Path("/dev/kmsg"), opened=opened, clock=clock)
        host = self._host(log)
        begin = state.begin(None, boot_id="b", node_uid="u", probes=PROBES, now=clock())
        publisher = Publisher(self._write, clock=clock, random=Random(1))
        listener = main.reporter(publisher, Settings(version="1"), host)
        monitor = Monitor(PROBES, host, begin=begin, clock=clock, listener=listener)
        running = [
            asyncio.create_task(each)
            for each in (log.run(Random(1)), monitor.run(Random(1)), publisher.run())
        ]
        await asyncio.sleep(hours * 3600)
        for each in running:
            each.cancel()
        await asyncio.wait(running)
        logger.info("%d writes in %g hours", len(self.writes), hours)

    def _host(self, log: KernelLog) -> Host:
        return Machine(
            root=self.tree.root,
            mountinfo=self.tree.root / "mountinfo",
            uptime=self.tree.root / "proc/uptime",
            statvfs=self._measured,
            write=lambda _: self._varied(0.004),
            connect=self._connected,
            resolve=_resolved,
            gpus=lambda: self.gpus,
            kernel_log=log,
            clock=virtualtime.clock(),
            adjtimex=self._adjtimex,
            watches=lambda: "",
            guard=Patient(),
        )

    def _measured(self, path: str) -> os.statvfs_result:
        mount = path.removeprefix(f"{self.tree.root}") or "/"
        free = round(1e6 * (1 - self.full[mount]))
        return os.statvfs_result((4096, 4096, 10**6, free, free, 10**6, free, free, 0, 255))

    def _varied(self, seconds: float) -> float:
        return seconds * (1 + self.chance.random() * self.jitter)

    async def _connected(self, _: Peer, __: timedelta) -> float | None:
        return self._varied(0.0005)

    def _adjtimex(self) -> Discipline:
        return Discipline(is_synchronised=True, offset=1e-4, max_error=self._varied(0.02))

    async def _write(self, status: NodeHealthStatus) -> None:
        self.writes.append((virtualtime.clock()(), status))


async def _resolved(_: str, __: str, ___: timedelta) -> str:
    return ""
