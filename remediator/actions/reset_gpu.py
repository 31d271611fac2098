"""Reset-gpu: have a program on the node reset the GPUs that the evidence names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth import quantities
from nodehealth.errand import Program
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS, Node, Pod
from nodehealth.kube.patches import Operation
from nodehealth.repair import NodeRepair
from remediator.actions import (
    Action,
    Failed,
    Going,
    Progress,
    SupersededError,
    Tools,
    send,
)
from remediator.decide import eviction, joined, labels, marks
from remediator.decide.errands import Errand, claimed

_LASTS: Final = timedelta(minutes=11)
"""How long the program may take: longer than it gives itself, for it should not be killed."""
_MOVING: Final = timedelta(minutes=3)
"""How long those who hold the GPUs may take to leave the node."""
_AGAIN: Final = timedelta(seconds=3)
_UUID: Final = "GPU-"
_GONE: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetGpu(Action):
    """Resets GPUs once whoever holds them has been moved off the node."""

    patience: timedelta = timedelta(minutes=15)
    """How long moving off, resetting and looking whether it worked may take together."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Move off who holds the GPUs, send for the reset, and let them back however it ends."""
        named = joined.parts(repair, Program.RESET_GPU)
        gpus = tuple(part for part in named if part.startswith(_UUID))
        if not gpus:
            return Failed(message="the evidence names no GPU that could be reset")
        progress = await self._reset(gpus, repair, since, tools)
        if isinstance(progress, Going):
            return progress
        node = tools.node
        if node is not None and labels.are_put_on(node):
            await _patch(node, marks.let_back(node), tools)
        return progress

    async def _reset(
        self, gpus: tuple[str, ...], repair: NodeRepair, since: datetime, tools: Tools
    ) -> Progress:
        if claimed(repair) is None:
            waits = await _moved_off(repair, since, tools)
            if waits is not None:
                return waits
        errand = Errand(program=Program.RESET_GPU, lasts=_LASTS, gpus=gpus, after=_MOVING)
        return await send(errand, repair, since, self.patience, tools)


async def _moved_off(repair: NodeRepair, since: datetime, tools: Tools) -> Progress | None:
    """Return what is still to be waited for; nothing once nobody holds the node's GPUs."""
    clients, node = tools.gpu_clients, tools.node
    if not clients.daemon_sets or node is None or node.metadata.uid != repair.spec.target.node_uid:
        return None
    if not labels.are_put_on(node):
        await tools.guard()
        await _patch(node, marks.move_off(node, clients.labels), tools)
        return Going(message="moves those off the node who hold its GPUs", again=_AGAIN)
    listing = await tools.client.listing(PODS, fields=f"spec.nodeName={node.metadata.name}")
    left = [each for each in listing.items if _is_one_of(each, tools)]
    if not left:
        return None
    first = f"{left[0].metadata.namespace}/{left[0].metadata.name}"
    if tools.clock() >= since + _MOVING:
        wanted = ", ".join(f"{key}: {value}" for key, value in clients.labels.items())
        spent = quantities.spoken(_MOVING)
        return Failed(message=f"{first} did not give way to {wanted} within {spent}")
    return Going(message=f"waits for {first} to leave the node", again=_AGAIN)


def _is_one_of(pod: Pod, tools: Tools) -> bool:
    owner = eviction.controller(pod)
    if owner is None or owner.kind != "DaemonSet" or pod.status.phase in _GONE:
        return False
    return (pod.metadata.namespace, owner.name) in tools.gpu_clients.daemon_sets


async def _patch(node: Node, changes: list[Operation], tools: Tools) -> None:
    """Patch the Node as it was read.

    Raises:
        SupersededError: it is not as it was read; what has to be done is found out anew.
    """
    try:
        await tools.client.json_patch(NODES, node.metadata.name, changes)
    except errors.TestFailedError as changed:
        raise SupersededError(f"{node.metadata.name} changed meanwhile") from changed
