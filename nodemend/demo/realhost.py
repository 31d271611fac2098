"""This machine as a node of the simulated cluster: a real agent and a filesystem to really fill.

The agent runs in a mount namespace of its own, in which a small tmpfs is mounted. Nobody else sees
it, and it is gone with the namespace: when the simulator replaces the machine, its disk is new.
"""

import asyncio
import errno
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from nodemend.demo import namespaces, processes
from nodemend.demo.processes import Kubeconfig, Program
from simulator.hooks import Hooks

SCRATCH_SIZE: Final = "16m"
_MOUNT: Final = f'mount -t tmpfs -o size={SCRATCH_SIZE},mode=1777 nodemend-scratch "$1"'
_CHUNK: Final = bytes(2**20)
_SMALL: Final = 64 * 2**20


async def namespace(folder: Path) -> Sequence[str]:
    """Find the command that runs another one in a mount namespace with a tmpfs on a folder.

    Raises:
        nodemend.demo.namespaces.NoNamespaceError: says what was tried and what came of it.
    """
    return await namespaces.within(_MOUNT, folder)


class RealHost(Hooks):
    """Follows the simulated machine of the real node.

    Args:
        folder: Where its files lie, the mount point among them.
        within: The command that gives a program its mount namespace.
        leash: The command that has a program end with us.
        kubeconfig: Writes the kubeconfig of the node's agent to a path.
    """

    def __init__(
        self,
        folder: Path,
        within: Sequence[str],
        leash: Sequence[str],
        kubeconfig: Kubeconfig,
    ) -> None:
        self._folder, self._within, self._kubeconfig = folder, within, kubeconfig
        self._leash = leash
        self._agent: Program | None = None
        self._over = False

    @property
    def scratch(self) -> Path:
        """Where the small filesystem is mounted, as the agent sees it."""
        return self._folder / "scratch"

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Mount an empty filesystem and start an agent that knows nothing."""
        if self._over:
            return
        boot, config, kubeconfig = (
            self._folder / name for name in ("boot_id", "agent.yaml", "agent.kubeconfig")
        )
        await asyncio.to_thread(self._prepare, boot, boot_id, config)
        await self._kubeconfig(node, kubeconfig)
        command = processes.nodemend(
            "agent",
            *("--kubeconfig", kubeconfig, "--config", config, "--boot-id", boot),
            *("--node", node, "--node-uid", node_uid),
            *("--state-file", self._folder / "agent.json"),
            leash=self._leash,
        )
        self._agent = Program(
            "the agent", [*self._within, *command], log=self._folder / "agent.log"
        )
        await self._agent.start()

    async def machine_gone(self, node: str) -> None:
        """Pull the plug: agent, namespace and filesystem are gone at once."""
        del node
        if self._agent is not None:
            await self._agent.stop(signal.SIGKILL)

    async def stop(self) -> None:
        """End the agent in an orderly way, and start none any more."""
        self._over = True
        if self._agent is not None:
            await self._agent.stop()

    def fill(self) -> int:
        """Fill the filesystem until the kernel says that no space is left; return the bytes.

        Raises:
            RuntimeError: the small filesystem is not mounted; nothing was written.
        """
        pid = self._agent.pid if self._agent is not None else 0
        inside = Path(f"/proc/{pid}/root{self.scratch}")
        if not pid or not _is_small(inside):
            raise RuntimeError(f"expected a small filesystem of our own at {self.scratch}")
        written = 0
        with (inside / "a-job-forgot-this").open("wb", buffering=0) as file:
            try:
                while written < _SMALL:
                    written += file.write(_CHUNK)
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
        return written

    async def last_words(self) -> str:
        """Return the end of the agent's log."""
        return await self._agent.last_words() if self._agent is not None else "no agent ran"

    def _prepare(self, boot: Path, boot_id: str, config: Path) -> None:
        self.scratch.mkdir(exist_ok=True)
        boot.write_text(f"{boot_id}\n")
        (self._folder / "agent.json").unlink(missing_ok=True)
        config.write_text(settings("/", str(self.scratch)))


def settings(*mounts: str) -> str:
    """Return the agent's settings: every probe, but only these filesystems, looked at often."""
    probes = {"filesystems": {"interval": "1s", "mounts": list(mounts)}}
    return yaml.safe_dump({"probes": probes})


def _is_small(folder: Path) -> bool:
    """Make sure that it is the demo's own filesystem before it is filled."""
    known = os.statvfs(folder)
    return known.f_blocks * known.f_frsize <= _SMALL
