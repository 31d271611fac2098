"""A machine as large as they come, as its agent sees it: eight GPUs, eight disks, ten adapters."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.emulated import AGENT_KUBECONFIG
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodemend.demo import processes
from simulator.driver import recording
from simulator.driver.control import Driver

SHIPPED: Final = Path(__file__).parents[1] / "deploy/daemonset/agent.yaml"
_GPUS: Final = "h100x8"
_DISKS: Final = 8
_ADAPTERS: Final = 10
_LINK: Final = {"flags": "0x1003", "carrier": 1, "carrier_changes": 2, "speed": 400_000}
_COUNTERS: Final = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeNode:
    """Its GPUs are a stand-in driver's, its disks and adapters are written down, the rest is ours.

    The processes, the memory and the mounts are those of the machine on which it is measured.
    """

    driver: Driver

    @property
    def root(self) -> Path:
        """What the agent takes for the host's root."""
        return self.driver.root

    def prepare(self) -> None:
        """Make all of it.

        Raises:
            simulator.driver.build.BuildError: the driver cannot be made here.
        """
        self.driver.install(recording.load(_GPUS))
        (self.root / "proc").symlink_to("/proc")
        for number in range(_DISKS):
            self._disk(number)
        for number in range(_ADAPTERS):
            self._adapter(number)

    def environ(self) -> dict[str, str]:
        """Say what the agent needs in its environment to find the driver."""
        return {**self.driver.environ(), "NVML_LIBRARIES": f"{self.driver.folder}"}

    def _disk(self, number: int) -> None:
        name = f"nvme{number}n1"
        folder = f"sys/devices/pci0/0000:{0x80 + number:02x}:00.0/nvme/nvme{number}/{name}"
        files = {"size": 7_501_476_528, "removable": 0, "serial": f"S5H9NS0R{number:06}"}
        for file, text in {**files, "stat": " ".join("0" * 17)}.items():
            self._write(f"{folder}/{file}", text)
        self._write(f"{folder}/../state", "live")
        (self.root / folder / "slaves").mkdir()
        self._link(f"{folder}/device", f"{folder}/..")
        self._link(f"sys/block/{name}", folder)
        self._link(f"sys/class/nvme/nvme{number}", f"{folder}/..")
        self._link(f"sys/dev/block/259:{number}", folder)

    def _adapter(self, number: int) -> None:
        device = f"sys/bus/pci/devices/0000:{0xA0 + number:02x}:00.0"
        folder = f"sys/class/net/eth{number}"
        for file, text in _LINK.items():
            self._write(f"{folder}/{file}", text)
        for file in _COUNTERS:
            self._write(f"{folder}/statistics/{file}", 0)
        self._write(f"{folder}/duplex", "full")
        self._write(f"{folder}/mtu", 9000)
        (self.root / device / "driver").mkdir(parents=True)
        self._link(f"{folder}/device", device)

    def _write(self, path: str, text: object) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="utf-8")

    def _link(self, path: str, to: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to((self.root / to).resolve())


def command(
    folder: Path, node: LargeNode, name: str, uid: str, *, port: int, config: Path = SHIPPED
) -> list[str]:
    """Return how its agent is run below a folder in which the API server is `emulated`.

    Args:
        folder: Where its files are.
        node: The machine.
        name: Of its Node.
        uid: Of its Node.
        port: Where it tells its metrics and health, as the shipped DaemonSet has it do.
        config: The settings of its probes; by default those that are shipped.
    """
    (folder / "boot").write_text("footprint\n", encoding="utf-8")
    kmsg = folder / "kmsg"
    if not kmsg.exists():
        os.mkfifo(kmsg)
    words = processes.nodemend(
        "agent",
        *("--kubeconfig", folder / "emulated" / AGENT_KUBECONFIG),
        *("--node", name, "--node-uid", uid, "--root", node.root),
        *("--boot-id", folder / "boot", "--kmsg", kmsg),
        *("--state-file", folder / "state.json"),
        *("--config", config, "--json-logs", f"--listen=:{port}"),
    )
    environ = {**node.environ(), **_compiled(folder)}
    return ["env", *(f"{each}={value}" for each, value in environ.items()), *words]


def _compiled(folder: Path) -> dict[str, str]:
    """Have Python keep what it compiled, as an image does: to compile takes memory for good."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder / 'compiled'}"}


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def family(pid: int) -> list[psutil.Process]:
    """Return an agent and its NVML worker."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def spent(pid: int) -> float:
    """Return the CPU seconds that both have used."""
    times = [each.cpu_times() for each in family(pid)]
    return sum(each.user + each.system for each in times)


async def has_reported(client: Client, name: str) -> bool:
    """Say whether its agent has told of the GPUs."""
    try:
        levels = (await client.get(NODE_HEALTHS, name)).status.levels
    except errors.GoneError:
        return False
    return any(each.name == "gpu.recovery_action" for each in levels)
