"""A machine with eight H100 on the demo's stage, whose driver is a stand-in and all else is real.

A real agent asks the stand-in by the unmodified pynvml, and the program of a repair Pod resets its
GPUs by the stand-in's nvidia-smi: both find the box below a root directory of its own, with the
processes of this very machine.
"""

import asyncio
import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import yaml

from agent import settings
from nodehealth.kit import discovery
from nodehealth.outcome import Outcome, Result
from nodemend.demo import namespaces, processes
from nodemend.demo.processes import Kubeconfig, Program
from simulator.driver import recording
from simulator.driver.control import Driver
from simulator.driver.kernellog import KernelLog
from simulator.hooks import Hooks

NODE: Final = "gpu-box"
SICK: Final = 3
"""The GPU that falls sick, counted from 0."""
UNCONTAINED: Final = 95
"""The XID of a memory error that no single job can be blamed for."""
RECOVERY_ACTION: Final = 230
_RESET: Final = 1
_RECORDING: Final = "h100x8"
_WITHIN: Final = (
    'mount --rbind /proc "$1/proc" && mount --bind "$2" "$1/proc/sys/kernel/random/boot_id"'
)
_OFTEN: Final = {"interval": "1s"}


class GpuBox(Hooks):
    """Follows the simulated machine of the node.

    Args:
        folder: Where its files lie.
        leash: The command that has a program end with us.
        kubeconfig: Writes the kubeconfig of the node's agent to a path.
    """

    def __init__(
        self,
        folder: Path,
        leash: Sequence[str],
        kubeconfig: Kubeconfig,
    ) -> None:
        self._folder, self._leash, self._kubeconfig = folder, leash, kubeconfig
        self._driver = Driver(folder / "driver")
        self._log = KernelLog(path=folder / "kmsg")
        self._within: Sequence[str] = ()
        self._agent: Program | None = None
        self._over = False

    async def prepare(self) -> None:
        """Make the driver.

        Raises:
            simulator.driver.build.BuildError: there is no gcc.
            NoNamespaceError: nothing can be mounted here.
        """
        await asyncio.to_thread(self._install, "unknown")
        root, boot = self._driver.root, self._folder / "boot_id"
        self._within = await namespaces.within(_WITHIN, root, boot)

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Load the driver of a machine on which all is well, and start an agent."""
        if self._over:
            return
        await asyncio.to_thread(self._install, boot_id)
        kubeconfig = self._folder / "agent.kubeconfig"
        await self._kubeconfig(node, kubeconfig)
        command = processes.nodemend(
            "agent",
            *("--kubeconfig", kubeconfig, "--config", self._folder / "agent.yaml"),
            *("--root", self._driver.root, "--kmsg", self._log.path),
            *("--node", node, "--node-uid", node_uid),
            *("--state-file", self._folder / "agent.json"),
            leash=self._leash,
        )
        self._agent = Program(
            "the agent of the GPU box",
            [*self._within, *command],
            log=self._folder / "agent.log",
            environ=self._driver.environ(),
        )
        await self._agent.start()

    async def machine_gone(self, node: str) -> None:
        """Pull the plug."""
        del node
        if self._agent is not None:
            await self._agent.stop(signal.SIGKILL)

    async def errand(self, node: str, words: Sequence[str]) -> Outcome | None:
        """Run the program of a repair Pod, as its container would."""
        del node
        said = self._folder / "last-words"
        await asyncio.to_thread(said.write_bytes, b"")
        process = await asyncio.create_subprocess_exec(
            *self._within,
            *processes.nodemend(*words[1:], "--message-file", said, leash=self._leash),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={
                **os.environ,
                **self._driver.environ(),
                "HOST_ROOT": str(self._driver.root),
                "NODEMEND_NVIDIA_SMI": shlex.quote(str(self._driver.folder / "nvidia-smi")),
            },
        )
        await process.wait()
        return await asyncio.to_thread(heard, said)

    async def fall_sick(self) -> None:
        """Let the driver say that a GPU must be reset, as after an error in its memory."""
        await asyncio.to_thread(self._break)

    async def stop(self) -> None:
        """End the agent in an orderly way, and start none any more."""
        self._over = True
        if self._agent is not None:
            await self._agent.stop()
        await asyncio.to_thread(self._driver.close)

    def _install(self, boot_id: str) -> None:
        self._folder.mkdir(exist_ok=True)
        self._driver.install(recording.load(_RECORDING), cache=self._folder / "built")
        (self._driver.root / "proc").mkdir(exist_ok=True)
        library = self._driver.root / "usr"
        library.mkdir(exist_ok=True)
        (library / "lib64").symlink_to(self._driver.folder.resolve())
        (self._folder / "boot_id").write_text(f"{boot_id}\n")
        (self._folder / "agent.json").unlink(missing_ok=True)
        (self._folder / "agent.yaml").write_text(configuration())
        self._log.path.write_bytes(b"")

    def _break(self) -> None:
        self._driver.field(SICK, RECOVERY_ACTION, _RESET)
        self._driver.xid(SICK, UNCONTAINED, log=self._log)


def configuration() -> str:
    """Return the agent's settings: only what asks for GPUs, and that often."""
    names = discovery.names(settings.PROBES)
    probes = {name: _OFTEN if name.startswith("gpu") or name == "xids" else False for name in names}
    return yaml.safe_dump({"probes": probes, "nvml": {"interval": "1s", "links": "5s"}})


def heard(said: Path) -> Outcome:
    """Return what a program left as its last words; without any it has failed."""
    try:
        return msgspec.json.decode(said.read_bytes(), type=Outcome)
    except msgspec.DecodeError as unread:
        return Outcome(result=Result.FAILED, message=f"it left no last words: {unread}"[:1024])
