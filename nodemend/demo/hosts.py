"""Who stands behind the demo's nodes that are not simulated: this machine, and one with GPUs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from nodehealth.outcome import Outcome
from nodemend.demo import realhost
from nodemend.demo.gpubox import GpuBox
from nodemend.demo.processes import Kubeconfig
from nodemend.demo.realhost import RealHost
from nodemend.demo.stage import Stage
from simulator.hooks import Hooks


class Hosts(Hooks):
    """Passes on what befalls a node to whoever stands behind it.

    Args:
        real: This machine.
        box: The machine with GPUs, under its Node's name; none where it cannot be had.
    """

    def __init__(self, real: RealHost, box: tuple[str, GpuBox] | None) -> None:
        self.real = real
        self.box = box[1] if box else None
        self._box_name = box[0] if box else ""

    async def machine_gone(self, node: str) -> None:
        """Tell whoever it is."""
        await self._behind(node).machine_gone(node)

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Tell whoever it is."""
        await self._behind(node).machine_started(node, node_uid, boot_id)

    async def errand(self, node: str, words: Sequence[str]) -> Outcome | None:
        """Have whoever it is run the program."""
        return await self._behind(node).errand(node, words)

    async def stop(self) -> None:
        """End the agents of both."""
        await asyncio.gather(*(each.stop() for each in (self.real, self.box) if each))

    def _behind(self, node: str) -> Hooks:
        return self.box if self.box is not None and node == self._box_name else self.real


async def prepared(
    stage: Stage, folder: Path, leash: Sequence[str], kubeconfig: Kubeconfig
) -> Hosts:
    """Make ready what both need, below a folder.

    Raises:
        nodemend.demo.namespaces.NoNamespaceError: nothing can be mounted here.
        simulator.driver.build.BuildError: the driver of the GPUs cannot be made.
    """
    within = await realhost.namespace(folder / "scratch")
    real = RealHost(folder, within, leash, kubeconfig)
    if not stage.box:
        return Hosts(real, None)
    box = GpuBox(folder / stage.box, leash, kubeconfig)
    await box.prepare()
    return Hosts(real, (stage.box, box))
