"""The only way to touch a Node: first the ledger is swapped, then the Node is patched at its fence.

Every method may be called again after a crash or a lost answer: an admission that is in the ledger
already is found there and used, and a patch that has happened already changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import (
    REPAIR_LEDGERS,
    Disruption,
    RepairLedger,
)
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.actions import SupersededError
from remediator.decide import limits, marks, recovery
from remediator.decide.ladder import Held
from remediator.decide.limits import Admitted, Refused, Scope, Why
from remediator.rules.policy import Policy

logger = logging.getLogger(__name__)

_TRIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Gives permissions to cordon and to disrupt, and takes them back.

    Fields:
        client: The door to the API server.
        clock: The present time.
        swap: Keeps the swaps of this process in line, so that they don't make each other fail.
    """

    client: Client
    clock: Clock
    swap: asyncio.Lock

    async def ledger(self) -> RepairLedger:
        """Read the ledger by quorum; one that was lost is made anew, and closed."""
        try:
            return await self.client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
        except errors.GoneError:
            return await self.ensure()

    async def cordon(
        self, repair: NodeRepair, node: Node, scopes: Iterable[Scope], policy: Policy
    ) -> int | Refused:
        """Cordon a node if its scopes allow it, and return the epoch."""

        def admit(ledger: RepairLedger) -> Admitted | Refused:
            epoch = ledger.status.cordons.get(node.metadata.name, 0)
            if epoch and marks.fence_of(node) != Fence(epoch=epoch, hold=Hold.RELEASED):
                return Admitted(ledger=ledger, epoch=epoch)
            return limits.cordon(ledger, repair, tuple(scopes), policy)

        admitted = await self._admit(repair, admit)
        if isinstance(admitted, Refused):
            return admitted
        await self.hold(repair, node, Fence(epoch=admitted.epoch, hold=Hold.CORDONED))
        return admitted.epoch

    async def disrupt(
        self, repair: NodeRepair, node: Node, scopes: Iterable[Scope], policy: Policy
    ) -> int | Refused:
        """Take a disruption slot for a node that this repair cordoned, and return the epoch."""

        def admit(ledger: RepairLedger) -> Admitted | Refused:
            slot = ledger.status.slots.get(node.metadata.name)
            if slot is not None and slot.repair == repair.metadata.name:
                return Admitted(ledger=ledger, epoch=slot.epoch)
            return limits.disrupt(ledger, repair, tuple(scopes), policy, self.clock())

        admitted = await self._admit(repair, admit)
        if isinstance(admitted, Refused):
            return admitted
        await self.hold(repair, node, Fence(epoch=admitted.epoch, hold=Hold.DISRUPTED))
        return admitted.epoch

    async def hold(self, repair: NodeRepair, node: Node, fence: Fence) -> None:
        """Put our marks on a Node under an admission that is still in the ledger.

        Raises:
            SupersededError: the admission is over, or the Node is another one.
        """
        seen = node
        for _ in range(_TRIES):
            await self._require(seen, fence)
            if marks.is_held_as(seen, fence):
                return
            try:
                changes = marks.hold(seen, fence, repair.metadata.name)
                await self.client.json_patch(NODES, seen.metadata.name, changes)
            except errors.TestFailedError:
                seen = await self._same(node)
            else:
                return
        raise errors.ConflictError(f"Node {node.metadata.name} changed under {_TRIES} patches")

    async def release(self, name: str, node: Node | None, epochs: frozenset[int]) -> None:
        """Give a node back: first the Node says so, then the ledger forgets it."""
        if node is not None and marks.is_ours(node, epochs):
            await self._release_node(node, epochs)
        await self._change(lambda ledger: limits.release(ledger, name, epochs))

    async def surrender(self, repair: NodeRepair, node: Node | None, held: Held) -> None:
        """Trade the slot for a cordon entry of the same epoch: the node stays out, others go on."""
        epoch, name = held.disruption, repair.spec.target.node
        if not epoch:
            return
        if node is not None and marks.is_ours(node, held.epochs()):
            await self.hold(repair, node, Fence(epoch=epoch, hold=Hold.CORDONED))
        await self._change(lambda ledger: limits.surrender(ledger, name, epoch))

    async def ensure(self) -> RepairLedger:
        """Make the ledger if it is missing, never with an epoch below one that is in use.

        A ledger that is missing or behind while fences or repairs exist has lost admissions. What
        they and the open repairs say is put back, and disruption is closed until a person opens it.
        """
        nodes = (await self.client.listing(NODES)).items
        repairs = (await self.client.listing(NODE_REPAIRS)).items
        rebuilt = recovery.rebuilt(nodes, repairs, self.clock())
        try:
            ledger = await self.client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
        except errors.GoneError:
            ledger = await self._create(closed=rebuilt.epoch > 0)
        if ledger.status.epoch >= rebuilt.epoch - 1:
            return ledger
        logger.error("RepairLedger was lost or fell behind: rebuilt, and closed to disruption")
        closed = {"spec": {"disruption": Disruption.CLOSED}}
        ledger = await self.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, closed)
        return await self._replace(structs.replace(ledger, status=rebuilt))

    async def _create(self, *, closed: bool) -> RepairLedger:
        disruption = Disruption.CLOSED if closed else Disruption.OPEN
        fresh = {"metadata": {"name": keys.LEDGER_NAME}, "spec": {"disruption": disruption}}
        return await self.client.create(REPAIR_LEDGERS, fresh)

    async def _release_node(self, node: Node, epochs: frozenset[int]) -> None:
        seen = node
        for _ in range(_TRIES):
            try:
                changes = marks.release(seen, max(epochs))
                await self.client.json_patch(NODES, seen.metadata.name, changes)
            except errors.TestFailedError:
                seen = await self._same(node)
                if not marks.is_ours(seen, epochs):
                    return
            else:
                return
        raise errors.ConflictError(f"Node {node.metadata.name} changed under {_TRIES} patches")

    async def _same(self, node: Node) -> Node:
        seen = await self.client.get(NODES, node.metadata.name)
        if seen.metadata.uid != node.metadata.uid:
            raise SupersededError(f"Node {node.metadata.name} was made anew")
        return seen

    async def _require(self, node: Node, fence: Fence) -> None:
        """Check, after the Node was read, that the admission is live and the Node not beyond it."""
        status = (await self.ledger()).status
        slot = status.slots.get(node.metadata.name)
        granted = {slot.epoch if slot else None}
        if fence.hold is Hold.CORDONED:
            granted.add(status.cordons.get(node.metadata.name))
        if fence.epoch not in granted:
            raise SupersededError(f"the ledger does not grant {fence} to {node.metadata.name}")
        if marks.is_beyond(node, fence):
            raise SupersededError(f"{node.metadata.name} is at {marks.fence_of(node)} already")

    async def _require_current(self, repair: NodeRepair) -> None:
        """Check, after the ledger was read, that nobody carried the repair on meanwhile.

        Whoever does changes the ledger on the way, and then our swap fails.
        """
        try:
            now = await self.client.get(NODE_REPAIRS, repair.metadata.name)
        except errors.GoneError as gone:
            raise SupersededError(f"{repair.metadata.name} is gone") from gone
        if now.metadata.resource_version != repair.metadata.resource_version:
            raise SupersededError(f"{repair.metadata.name} was carried on by somebody else")

    async def _admit(
        self, repair: NodeRepair, admit: Callable[[RepairLedger], Admitted | Refused]
    ) -> Admitted | Refused:
        async with self.swap:
            for _ in range(_TRIES):
                ledger = await self.ledger()
                await self._require_current(repair)
                answer = admit(ledger)
                if isinstance(answer, Refused) or answer.ledger is ledger:
                    return answer
                try:
                    await self._replace(answer.ledger)
                except errors.ConflictError:
                    continue
                return answer
        return Refused(why=Why.CONTENTION, message="the ledger changed faster than we could swap")

    async def _change(self, change: Callable[[RepairLedger], RepairLedger]) -> None:
        async with self.swap:
            for _ in range(_TRIES):
                ledger = await self.ledger()
                changed = change(ledger)
                if changed.status == ledger.status:
                    return
                try:
                    await self._replace(changed)
                except errors.ConflictError:
                    continue
                return
        raise errors.ConflictError("the ledger changed faster than we could swap")

    async def _replace(self, ledger: RepairLedger) -> RepairLedger:
        return await self.client.replace(
            REPAIR_LEDGERS, ledger, name=keys.LEDGER_NAME, subresource="status"
        )
