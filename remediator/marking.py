"""Marks Nodes at their fence: a patch applies only to the Node that was read, as it was then."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from nodehealth.fence import Fence, Hold
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from remediator.actions import SupersededError
from remediator.decide import maintenance, marks, parts

_TRIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """Puts our marks on Nodes, and takes them off.

    Fields:
        client: The door to the API server.
        ledger: Reads the ledger by quorum.
    """

    client: Client
    ledger: Callable[[], Awaitable[RepairLedger]]

    async def hold(
        self, repair: NodeRepair, node: Node, fence: Fence, ledger: RepairLedger
    ) -> None:
        """Have a Node say that it is held, under an admission that is in the ledger.

        Args:
            repair: Who holds the Node then.
            node: The Node as read before the ledger.
            fence: What the Node shall say.
            ledger: The ledger as it was at some moment after the Node was read.

        Raises:
            SupersededError: the admission is over, or the Node is another one.
            nodehealth.kube.errors.KubeError: the API server failed us; it may have happened.
        """
        seen, apart = node, parts.apart(repair, node)
        for _ in range(_TRIES):
            _require(ledger, seen, fence)
            if marks.is_held_as(seen, fence) and parts.is_set_apart(repair, seen):
                return
            try:
                changes = marks.hold(seen, fence, repair.metadata.name, apart=apart)
                await self.client.json_patch(NODES, seen.metadata.name, changes)
            except errors.TestFailedError:
                seen = await self._same(node)
                ledger = await self.ledger()
            else:
                return
        raise errors.ConflictError(f"Node {node.metadata.name} changed under {_TRIES} patches")

    async def release(self, node: Node, epochs: frozenset[int]) -> None:
        """Have a Node say that it is held no longer, under whichever of our epochs it was.

        Raises:
            SupersededError: the Node is another one, or somebody else is at work on it.
            nodehealth.kube.errors.KubeError: the API server failed us; it may have happened.
        """
        seen, epoch = node, max(epochs)
        for _ in range(_TRIES):
            if marks.is_ours(seen, epochs):
                _require_alone(seen)
                changes = marks.release(seen, epoch)
            elif marks.is_open_to(seen, epoch):
                changes = marks.shut(seen, epoch)
            else:
                return
            try:
                await self.client.json_patch(NODES, seen.metadata.name, changes)
            except errors.TestFailedError:
                seen = await self._same(node)
            else:
                return
        raise errors.ConflictError(f"Node {node.metadata.name} changed under {_TRIES} patches")

    async def _same(self, node: Node) -> Node:
        seen = await self.client.get(NODES, node.metadata.name)
        if seen.metadata.uid != node.metadata.uid:
            raise SupersededError(f"Node {node.metadata.name} was made anew")
        return seen


def _require_alone(node: Node) -> None:
    """Check a Node whose version the patch pins: nobody can come between."""
    who = maintenance.keeper(node)
    if who:
        raise SupersededError(f"{who} is at work on {node.metadata.name}")


def _require(ledger: RepairLedger, node: Node, fence: Fence) -> None:
    """Check, after the Node was read, that the admission is live and the Node not beyond it."""
    slot = ledger.status.slots.get(node.metadata.name)
    granted = {slot.epoch if slot else None}
    if fence.hold is Hold.CORDONED:
        granted.add(ledger.status.cordons.get(node.metadata.name))
    if fence.epoch not in granted:
        raise SupersededError(f"the ledger does not grant {fence} to {node.metadata.name}")
    if marks.is_beyond(node, fence):
        raise SupersededError(f"{node.metadata.name} is at {marks.fence_of(node)} already")
