"""Machines recorded as folders: what procfs and sysfs say, written down by a test."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.host.linux import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The root of a machine; what is written here, a probe finds there."""

    root: Path

    @property
    def host(self) -> Host:
        """Return the door to it."""
        return Host(
            root=self.root,
            mountinfo=self.root / "mountinfo",
            uptime=self.root / "proc/uptime",
            devices=self.root / "dev",
            path=str(self.root / "sbin"),
        )

    def write(self, path: str, text: object) -> None:
        """Write one small file, as the kernel ends it: with a line's end."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def link(self, path: str, to: str) -> None:
        """Make a relative link between two places of the tree, as sysfs does."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(os.path.relpath(self.root / to, file.parent))

    def up(self, seconds: float) -> None:
        """Let the machine have been up for so long."""
        self.write("proc/uptime", f"{seconds:.2f} {seconds * 2:.2f}")

    def mounts(self, mounts: Mapping[str, str]) -> None:
        """Mount filesystems, each a path with its number and device such as `8:1 /dev/sda1`."""
        lines = (
            f"{n} {min(n - 1, 1)} {volume.split()[0]} / {self.root}{path} rw - ext4 "
            f"{volume.split()[1]} rw"
            for n, (path, volume) in enumerate(mounts.items(), 1)
        )
        self.write("mountinfo", "\n".join(lines))

    def interface(
        self, name: str, *, flags: int = 0x1003, carrier: int | None = 1, device: str = ""
    ) -> None:
        """Plug in a network interface with hardware, which has a driver if it has a name."""
        folder = f"sys/class/net/{name}"
        if device:
            shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / f"sys/bus/pci/devices/{device}/driver").mkdir(parents=True, exist_ok=True)
            self.link(f"{folder}/device", f"sys/bus/pci/devices/{device}")
        else:
            (self.root / folder / "device").mkdir(parents=True, exist_ok=True)
        self.write(f"{folder}/flags", hex(flags))
        if carrier is not None:
            self.write(f"{folder}/carrier", carrier)
        self.write(f"{folder}/carrier_changes", 2)
        for counter in ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped"):
            self.write(f"{folder}/statistics/{counter}", 0)

    def wire(
        self, name: str, *, speed: int = 100_000, duplex: str = "full", mtu: int = 9000
    ) -> None:
        """Say how an interface is wired; one that is not there is plugged in."""
        if not (self.root / f"sys/class/net/{name}").exists():
            self.interface(name)
        for file, told in {"speed": speed, "duplex": duplex, "mtu": mtu}.items():
            self.write(f"sys/class/net/{name}/{file}", told)

    def bond(self, name: str, **ports: str) -> None:
        """Make a bond of interfaces, each with what the bond finds of its link: `up`, `down`."""
        self.write(f"sys/class/net/{name}/flags", "0x1003")
        self.write(f"sys/class/net/{name}/bonding/slaves", " ".join(ports))
        for port, status in ports.items():
            self.write(f"sys/class/net/{port}/bonding_slave/mii_status", status)

    def disk(self, name: str, number: str = "", *, at: str = "pci0/0", serial: str = "") -> None:
        """Plug in a disk with one partition, whose number is one higher."""
        real = f"sys/devices/{at}/block/{name}"
        self.write(f"{real}/size", 1000)
        self.write(f"{real}/removable", 0)
        (self.root / real / "device").mkdir()
        (self.root / real / "slaves").mkdir()
        if serial:
            self.write(f"{real}/serial", serial)
        self.link(f"sys/block/{name}", real)
        if number:
            major, _, minor = number.partition(":")
            part = f"{real}/{name}p1"
            self.write(f"{part}/partition", 1)
            self.link(f"sys/dev/block/{number}", real)
            self.link(f"sys/dev/block/{major}:{int(minor) + 1}", part)
            self.link(f"sys/class/block/{name}p1", part)

    def adapter(
        self,
        name: str,
        *,
        device: str = "0000:5e:00.0",
        layer: str = "InfiniBand",
        state: str = "4: ACTIVE",
        physical: str = "5: LinkUp",
        rate: str = "400 Gb/sec (4X NDR)",
    ) -> None:
        """Plug in an RDMA adapter with one port and a driver, or change how that port stands."""
        bus = f"sys/bus/pci/devices/{device}"
        folder = f"sys/class/infiniband/{name}"
        if not (self.root / folder).exists():
            (self.root / "sys/bus/pci/drivers/mlx5_core").mkdir(parents=True, exist_ok=True)
            (self.root / bus).mkdir(parents=True, exist_ok=True)
            if not (self.root / bus / "driver").exists():
                self.link(f"{bus}/driver", "sys/bus/pci/drivers/mlx5_core")
            self.link(f"{folder}/device", bus)
        port = f"{folder}/ports/1"
        said = {"link_layer": layer, "state": state, "phys_state": physical, "rate": rate}
        for file, text in said.items():
            self.write(f"{port}/{file}", text)

    def count(self, adapter: str, **counters: int) -> None:
        """Let the one port of an adapter count: names with `hw_` before them are its hardware's."""
        for name, total in counters.items():
            group = "hw_counters" if name.startswith("hw_") else "counters"
            file = f"sys/class/infiniband/{adapter}/ports/1/{group}/{name.removeprefix('hw_')}"
            self.write(file, total)

    def worked(
        self, disk: str, *, reads: int = 0, seconds: float = 0, waiting: int = 0, discards: int = 0
    ) -> None:
        """Say what a disk has done so far: reads, how long they took, and what is under way."""
        columns = (reads, 0, 0, int(seconds * 1000), 0, 0, 0, 0, waiting, 0, 0, discards, 0, 0, 0)
        self.write(f"sys/block/{disk}/stat", " ".join(f"{each:>8}" for each in (*columns, 0, 0)))

    def array(self, name: str, *, level: str, disks: int, missing: int, state: str) -> None:
        """Bundle disks by MD."""
        said = {"level": level, "array_state": state, "raid_disks": disks, "degraded": missing}
        for file, told in said.items():
            if file != "degraded" or level != "raid0":
                self.write(f"sys/block/{name}/md/{file}", told)

    def take(self, name: str) -> None:
        """Take an interface out of the network namespace; its device stays."""
        shutil.rmtree(self.root / f"sys/class/net/{name}")

    def unplug(self, name: str) -> None:
        """Take a disk away, as the kernel does with a controller that fell off the bus."""
        (self.root / f"sys/block/{name}").unlink()
